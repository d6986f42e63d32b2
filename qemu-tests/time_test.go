package qemutests

import (
	"encoding/binary"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/testudo-os/testudo/pkg/qemu"
)

func TestTheTime(t *testing.T) {
	t.Parallel()
	m := boot(t, setup{network: qemu.UserNet, cloudConfig: "timezone: Asia/Tokyo\nntp:\n  servers: [192.0.2.1]\n"})
	m.runParts(
		part{"the time zone is everyone's", theTimeZoneIsEveryones},
		part{"time servers of the configuration and of DHCP are asked", timeServersAreAsked},
	)
}

func theTimeZoneIsEveryones(t *testing.T, m *machine) {
	ros := m.login("ros")
	ros.waitReady("syslog")
	if got := ros.run("date '+%Z %z'"); got != "JST +0900\n" {
		t.Errorf("date says %q", got)
	}
	if got := ros.run("TZ=Europe/Lisbon date -d @1750000000 '+%Z %z'"); got != "WEST +0100\n" {
		t.Errorf("date in another zone says %q", got)
	}
	ros.run("logger -t zone here")
	ros.m.eventually(time.Minute, func() error {
		out, err := ros.try("grep -h 'zone: here' /var/log/syslog")
		if err != nil || !strings.Contains(out, "+09:00 ") {
			return fmt.Errorf("the log says %q (%v)", out, err)
		}
		return nil
	})
	if st := ros.status(); len(st.Problems) > 0 {
		t.Errorf("problems: %q", st.Problems)
	}
}

func anUnknownTimeZoneIsReportedAndUTCIsUsed(t *testing.T, m *machine) {
	ros := m.login("ros")
	if got := ros.run("date '+%Z %z'"); got != "UTC +0000\n" {
		t.Errorf("date says %q", got)
	}
	if st := ros.status(); len(st.Problems) != 1 || !strings.Contains(st.Problems[0], `no zone "Mars/Base"`) {
		t.Errorf("problems: %q", st.Problems)
	}
}

func timeServersAreAsked(t *testing.T, m *machine) {
	const ahead = 5 * time.Hour
	port := timeServer(t, ahead)
	root := m.login("root")
	root.waitReady("network", "ntp")
	chronyc := "nsenter -m -t $(pidof chronyd) chronyc -h /run/chrony/chronyd.sock -n "
	m.eventually(time.Minute, func() error {
		sources, err := root.try(chronyc + "sources")
		if err != nil || !strings.Contains(sources, "192.0.2.1") || strings.Contains(sources, "10.0.2.2") {
			return fmt.Errorf("chrony's sources are (%v):\n%s", err, sources)
		}
		return nil
	})
	// What the network service writes when a DHCP server names a time server;
	// QEMU's does not.
	sources := fmt.Sprintf("server 10.0.2.2 port %d iburst\n", port)
	root.put("/run/testudo/network/ntp/dhcp.sources.new", "644", []byte(sources))
	root.run("mv /run/testudo/network/ntp/dhcp.sources.new /run/testudo/network/ntp/dhcp.sources")
	m.eventually(time.Minute, func() error {
		seconds, err := strconv.ParseInt(strings.TrimSpace(root.run("date +%s")), 10, 64)
		if err != nil {
			return err
		}
		if off := time.Until(time.Unix(seconds, 0)) - ahead; off.Abs() > time.Minute {
			return fmt.Errorf("the clock is %v off\n%s", off, root.run(chronyc+"sources"))
		}
		return nil
	})
	root.run("rm /run/testudo/network/ntp/dhcp.sources")
	m.eventually(time.Minute, func() error {
		if out := root.run(chronyc + "sources"); strings.Contains(out, "10.0.2.2") {
			return fmt.Errorf("a server that DHCP took back is still asked:\n%s", out)
		}
		return nil
	})
}

// timeServer answers NTP on a port of the host, which guests reach at
// 10.0.2.2, with a clock that is ahead.
func timeServer(t *testing.T, ahead time.Duration) (port int) {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-ended })
	go func() {
		defer close(ended)
		buf := make([]byte, 1024)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if n < 48 {
				continue
			}
			answer := make([]byte, 48) // RFC 5905, 7.3
			answer[0], answer[1], answer[3] = 4<<3|4, 1, 0xec
			copy(answer[12:], "TEST")
			now := ntpTime(time.Now().Add(ahead))
			binary.BigEndian.PutUint64(answer[16:], now)
			copy(answer[24:], buf[40:48]) // what the client sent as its time
			binary.BigEndian.PutUint64(answer[32:], now)
			binary.BigEndian.PutUint64(answer[40:], now)
			_, _ = conn.WriteTo(answer, from)
		}
	}()
	return conn.LocalAddr().(*net.UDPAddr).Port
}

// ntpTime counts from 1900, in units of 2^-32 seconds.
func ntpTime(t time.Time) uint64 {
	return uint64(t.Unix()+2208988800)<<32 | uint64(t.Nanosecond())<<32/1e9
}
