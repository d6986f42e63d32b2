package sdnotify

import (
	"net"
	"path/filepath"
	"testing"
)

func TestMessagesArriveInOneDatagramAndAStatusIsOneLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify.sock")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	if err := Send(Ready, Status("eth0: up\nREADY=0")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 256)
	n, err := conn.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(buf[:n]), "READY=1\nSTATUS=eth0: up READY=0"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestOutsideAServiceNothingIsSentAndNothingFails(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	if err := Send(Ready); err != nil {
		t.Fatal(err)
	}
}

func TestASocketThatIsNotThereIsAnError(t *testing.T) {
	if err := SendTo(filepath.Join(t.TempDir(), "none"), Ready); err == nil {
		t.Fatal("no error")
	}
}
