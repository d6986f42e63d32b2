package kmsg

import (
	"bytes"
	"strings"
	"testing"
)

func TestPrint(t *testing.T) {
	tests := []struct {
		name string
		do   func(*Log)
		want string
	}{
		{"a message carries facility, level and tag", func(l *Log) { l.Infof("hello %d", 1) }, "<30>t: hello 1\n"},
		{"a warning says so to the kernel", func(l *Log) { l.Warnf("%s", "100%") }, "<28>t: 100%\n"},
		{"each line is a record of its own", func(l *Log) { l.Errorf("a\nb\n") }, "<27>t: a\n<27>t: b\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			tt.do(New("t", &out))
			if out.String() != tt.want {
				t.Fatalf("got %q, want %q", out.String(), tt.want)
			}
		})
	}
}

func TestALineIsCutToWhatARecordHolds(t *testing.T) {
	var out bytes.Buffer
	New("t", &out).Infof("%s", strings.Repeat("x", 5000))
	if got, want := out.Len(), len("<30>t: \n")+maxLine; got != want {
		t.Fatalf("record of %d bytes, want %d", got, want)
	}
}

func TestALogWithoutADeviceDropsLinesUntilItHasOne(t *testing.T) {
	log := New("t", nil)
	log.Infof("lost")
	var out bytes.Buffer
	log.Attach(&out)
	log.Infof("kept")
	if out.String() != "<30>t: kept\n" {
		t.Fatalf("got %q", out.String())
	}
}
