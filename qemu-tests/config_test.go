package qemutests

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/testudo-os/testudo/pkg/layout"
)

const machineFile = layout.ConfigDir + "/cloud-config.yaml"

// A hash of the word "letmein", by openssl passwd -6 -salt saltsalt.
const letmein = "$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/"

// Each key of a rich configuration has its effect inside.
func TestARichConfiguration(t *testing.T) {
	t.Parallel()
	const config = `hostname: box
fqdn: box.example.org
timezone: Europe/Lisbon
user: {gecos: The One}
groups: [{workers: [ann]}]
users:
  - default
  - {name: ann, uid: 1234, groups: sudo, passwd: ` + letmein + `, lock_passwd: false, shell: /bin/sh}
  - {name: robot, system: true}
chpasswd: {users: [{name: ros, password: words, type: text}]}
ssh_pwauth: true
write_files:
  - {path: /etc/hello, content: "hello\n", permissions: "0640", owner: "root:adm"}
  - {path: /home/ann/late, content: x, defer: true, owner: "ann:ann"}
  - {path: /etc/chrony/given.conf, content: "# given\n", service: ntp}
  - {path: /etc/blob, encoding: gz+b64, content: H4sIAAAAAAAC/0vOSSwuVkjOLyoo5gIA3R28gAwAAAA=}
device_aliases: {data: /dev/vdb}
disk_setup: {data: {table_type: gpt, layout: [[40, 82], 60]}}
fs_setup: [{device: data.1, filesystem: swap}, {device: data.2, filesystem: ext4, label: DATA}]
mounts: [[data.1, none, swap, sw], [LABEL=DATA, /mnt/data, auto, "defaults,noexec"]]
growpart: {devices: [/, data.2]}
swap: {filename: /swapfile, size: 32M}
runcmd: ["echo run > /root/run", [sh, -c, "echo $0 > /root/argv", word]]
bootcmd: ["echo boot >> /root/boot"]
final_message: "all is done after $UPTIME seconds"
power_state: {mode: poweroff, condition: test -e /nowhere}
packages: [vim]
testudo:
  sysctl: {net.ipv4.ip_forward: 1, vm.swappiness: 7}
  modules: [dummy numdummies=2]
`
	data := newDisk(t, 256<<20)
	data.Serial = "data"
	disk := newDisk(t, diskSize)
	m := boot(t, setup{disks: disks(disk, data), args: "testudo.state.autoformat=/dev/vda", cloudConfig: config})
	ros := m.login("ros")
	ros.waitReady(coreServices()...)
	for command, want := range map[string]string{
		"hostname": "box",
		"getent hosts 127.0.1.1 || grep 127.0.1.1 /etc/hosts": "127.0.1.1 box.example.org box",
		"date +%Z":                              "WE",
		"grep ^ros: /etc/passwd":                ":The One:",
		"id ann":                                "uid=1234(ann)",
		"id -nG ann":                            "sudo",
		"id -nG ann | tr ' ' '\\n' | grep work": "workers",
		"id -u robot":                           "999",
		"sudo grep ^ann: /etc/shadow":           "ann:" + letmein + ":",
		"sudo grep ^ros: /etc/shadow":           "ros:$6$",
		"sudo /usr/sbin/sshd -T | grep -i passwordauth": "passwordauthentication yes",
		"sudo stat -c '%a %U:%G' /etc/hello":            "640 root:adm",
		"sudo stat -c %U:%G /home/ann/late":             "ann:ann",
		"cat /etc/blob":                                 "class",
		"mount | grep /mnt/data":                        "/dev/vdb2 on /mnt/data type ext4 (rw,nosuid,nodev,noexec",
		"cat /proc/swaps":                               "/var/lib/testudo/swap/swapfile",
		"cat /proc/sys/net/ipv4/ip_forward":             "1",
		"cat /proc/sys/vm/swappiness":                   "7",
		"ls /sys/class/net":                             "dummy1",
		"sudo cat /root/boot":                           "boot",
		"ros service inspect ntp":                       "/etc/chrony/given.conf",
		"ros config get fqdn":                           "box.example.org",
		"ros config get users[1].passwd":                "[redacted]",
		"ros config export --private":                   letmein,
	} {
		if out, err := ros.try(command); err != nil || !strings.Contains(out, want) {
			t.Errorf("%s: got %q, %v; want %q", command, out, err, want)
		}
	}
	m.eventually(time.Minute, func() error {
		out, err := ros.try("sudo cat /root/run /root/argv && ros service logs console")
		if err != nil || !strings.Contains(out, "run\nword\n") || !strings.Contains(out, "all is done after ") {
			return fmt.Errorf("%v: %s", err, out)
		}
		return nil
	})
	// The service's process sees the file that was given to it.
	if out := ros.run("sudo cat /proc/$(pidof chronyd)/root/etc/chrony/given.conf"); out != "# given\n" {
		t.Errorf("ntp sees %q", out)
	}
	if st := ros.status(); len(st.Problems) > 0 {
		t.Errorf("problems: %q", st.Problems)
	}
	for _, command := range []string{"ros config export", "ros status --format json", "ros config history --format json", "sudo ros logs --format json"} {
		if out := ros.run(command); strings.Contains(out, letmein) || strings.Contains(out, `"words"`) {
			t.Errorf("%s shows a secret", command)
		}
	}
	if out := ros.run("cat /proc/swaps"); !strings.Contains(out, "/dev/vdb1") {
		t.Errorf("swap: %s", out)
	}
	// A new rosd finds all of it done.
	ros.run("sudo kill $(pidof rosd)")
	m.eventually(2*time.Minute, func() error {
		out, err := ros.try("ros status --format json")
		if err != nil || !strings.Contains(out, `"problems": []`) {
			return fmt.Errorf("%v: %s", err, out)
		}
		return nil
	})
	sizes := "cat /sys/class/block/vdb2/size; stat -f -c %b /var/lib/testudo"
	before := numbersIn(t, ros.run(sizes))
	ros.run("echo kept | sudo tee /mnt/data/kept")
	if _, err := ros.try("sudo ros poweroff"); err != nil && !isGone(err) {
		t.Log(err)
	}
	m.waitExit()
	m.h.checkDisk(t, disk) // swap on it was given up in time

	// Larger disks: the partition behind which there is room now grows, and so
	// does the state's file system.
	for path, size := range map[string]int64{data.Path: 384 << 20, disk.Path: diskSize + 512<<20} {
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
	}
	second := boot(t, setup{disks: disks(disk, data), cloudConfig: config})
	ros = second.login("ros")
	ros.waitReady(coreServices()...)
	if after := numbersIn(t, ros.run(sizes)); len(before) != 2 || len(after) != 2 || after[0] < before[0]+(100<<20)/512 || after[1] < before[1]+(400<<20)/4096 {
		t.Errorf("sizes before %v, after %v", before, after)
	}
	if st := ros.status(); len(st.Problems) > 0 {
		t.Errorf("problems: %q", st.Problems)
	}
	if out := ros.run("cat /mnt/data/kept; sudo cat /root/boot; cat /proc/swaps"); !strings.HasPrefix(out, "kept\nboot\nboot\n") || !strings.Contains(out, "/swapfile") {
		t.Errorf("after a reboot: %q", out)
	}
}

func numbersIn(t *testing.T, text string) (out []int64) {
	t.Helper()
	for word := range strings.FieldsSeq(text) {
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, n)
	}
	return out
}

// What people change on a running machine is in force without a reboot, goes
// back when it was only tried, and outlives a reboot otherwise.
func TestTheConfigurationChangesLive(t *testing.T) {
	t.Parallel()
	disk := newDisk(t, diskSize)
	first := boot(t, setup{disks: disks(disk), args: autoformat})
	ros := first.login("ros")
	ros.waitReady(coreServices()...)
	rebooted := ros.run("cat /proc/sys/kernel/random/boot_id")

	ros.put("/tmp/more.yaml", "600", []byte("#cloud-config\n# who works here\nusers:\n  - name: ann # of the desk\n    ssh_authorized_keys:\n      - "+first.h.key.Public+"\ntestudo:\n  sysctl: {vm.swappiness: 11}\n"))
	ros.run("ros config merge /tmp/more.yaml")
	ros.run("ros config set hostname old")
	ros.run("ros config set testudo.services.variables.TOKEN geheim")
	ros.run("ros config set timezone Asia/Tokyo")
	if out, err := ros.try("ros config set hostname a_b 2>&1"); err == nil || !strings.Contains(out, "want a host name") {
		t.Errorf("an impossible value: %v %s", err, out)
	}
	dry := ros.run("ros config apply --dry-run")
	for _, want := range []string{"call the machine old", "take over accounts", "write the kernel's settings", "Nothing was done."} {
		if !strings.Contains(dry, want) {
			t.Errorf("the dry run does not say %q:\n%s", want, dry)
		}
	}
	if out := ros.run("hostname"); out == "old\n" {
		t.Error("the dry run did it")
	}
	ros.run("ros config apply")
	if out := ros.run("hostname; cat /proc/sys/vm/swappiness; date +%Z; ros config diff"); out != "old\n11\nJST\nNo difference.\n" {
		t.Errorf("applied: %q", out)
	}
	if out := first.login("ann").run("id -un"); out != "ann\n" {
		t.Errorf("ann is %q", out)
	}
	if out := ros.run("sudo cat " + machineFile); !strings.Contains(out, "# who works here") && !strings.Contains(out, "# of the desk") {
		t.Errorf("comments are lost:\n%s", out)
	}
	if out := ros.run("ros config export; ros config history; ros config diff 1 2"); strings.Contains(out, "geheim") {
		t.Errorf("a secret shows:\n%s", out)
	}

	// Tried, and nobody confirms; meanwhile rosd dies.
	ros.run("ros config set hostname tried")
	if out := ros.run("ros config apply --try 30s"); !strings.Contains(out, "On trial") {
		t.Errorf("apply --try says\n%s", out)
	}
	if out := ros.run("hostname"); out != "tried\n" {
		t.Errorf("the trial is not in force: %s", out)
	}
	ros.run("sudo kill -9 $(pidof rosd)")
	first.eventually(3*time.Minute, func() error {
		out, err := ros.try("hostname && ros config get hostname && ros config history")
		if err != nil || !strings.HasPrefix(out, "old\nold\n") || !strings.Contains(out, "was not confirmed") {
			return fmt.Errorf("%v: %s", err, out)
		}
		return nil
	})

	// Tried and confirmed.
	ros.run("ros config set hostname kept")
	ros.run("ros config apply --try 10m")
	ros.run("ros config confirm")
	if out := ros.run("ros config rollback && hostname && ros config rollback && hostname"); !strings.Contains(out, "old\n") || !strings.HasSuffix(out, "kept\n") {
		t.Errorf("rollback: %s", out)
	}
	if now := ros.run("cat /proc/sys/kernel/random/boot_id"); now != rebooted {
		t.Error("the machine rebooted")
	}

	// Tried, and the power fails.
	ros.run("ros config set hostname lost")
	ros.run("ros config apply --try 20m")
	ros.run("hostname; sync")
	if err := first.Kill(); err != nil {
		t.Fatal(err)
	}
	second := boot(t, setup{disks: disks(disk)})
	ros = second.login("ros")
	if out := ros.run("hostname; ros config history"); !strings.HasPrefix(out, "kept\n") || !strings.Contains(out, "was not confirmed") {
		t.Errorf("after a power cut: %s", out)
	}
}

// Whatever is wrong with the configuration, the machine reaches a login, uses
// the last good one, and says so.
func TestBrokenConfigurationsReachALogin(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../pkg/config/testdata/bad/*.yaml")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	disk := newDisk(t, diskSize)
	first := boot(t, setup{disks: disks(disk), args: autoformat})
	ros := first.login("ros")
	ros.run("ros config set hostname good")
	ros.run("sudo mkdir -p " + layout.ConfigDir + "/conf.d && sudo chmod 777 " + layout.ConfigDir + "/conf.d")
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		ros.run(fmt.Sprintf("echo %s | base64 -d > %s/conf.d/%s", base64.StdEncoding.EncodeToString(text), layout.ConfigDir, filepath.Base(f)))
	}
	if _, err := ros.try("sudo ros poweroff"); err != nil && !isGone(err) {
		t.Log(err)
	}
	first.waitExit()

	// All of them at once, with a good file of the machine's own.
	second := boot(t, setup{disks: disks(disk), prompt: true})
	ros = second.login("ros")
	out, err := ros.try("ros status")
	if err == nil {
		t.Error("ros status says all is well")
	}
	for _, f := range files {
		if !strings.Contains(out, layout.ConfigDir+"/conf.d/"+filepath.Base(f)+" is refused") {
			t.Errorf("ros status does not speak of %s", f)
		}
	}
	if name := ros.run("hostname"); name != "good\n" {
		t.Errorf("hostname is %q", name)
	}
	if _, err := ros.try("ros config apply"); err == nil {
		t.Error("a configuration with mistakes was applied")
	}
	// Then that one, too; the user-data with our key is gone as well.
	ros.run("sudo sh -c 'rm -r " + layout.ConfigDir + "/conf.d; echo hostname: [ > " + machineFile + "'")
	if _, err := ros.try("sudo ros poweroff"); err != nil && !isGone(err) {
		t.Log(err)
	}
	second.waitExit()

	third := boot(t, setup{disks: disks(disk), prompt: true, noSeed: true})
	ros = third.login("ros")
	if out, err := ros.try("ros status"); err == nil || !strings.Contains(out, "cloud-config.yaml is refused, its last good content is used") {
		t.Errorf("ros status: %v\n%s", err, out)
	}
	if name := ros.run("hostname"); name != "good\n" {
		t.Errorf("hostname is %q", name)
	}
	third.eventually(time.Minute, func() error {
		if !strings.Contains(third.Text(), "THE CONFIGURATION IS REFUSED") {
			return fmt.Errorf("the console does not say so")
		}
		return nil
	})
	ros.run("ros config rollback")
	if out := ros.run("ros status"); strings.Contains(out, "REFUSED") {
		t.Errorf("mended, and still:\n%s", out)
	}
}

func TestBrokenUserDataReachesALogin(t *testing.T) {
	t.Parallel()
	m := boot(t, setup{cloudConfig: "hostnam: x\nusers: [{name: 1}]\n"})
	shell := m.shell()
	out := shell.run("ros status; echo exit $?")
	for _, want := range []string{"user-data:4:1: hostnam: unknown key", "users[0].name: found the number 1", "user-data is refused, and no last good content is there", "exit 1"} {
		if !strings.Contains(strings.ReplaceAll(out, "\n", " "), want) {
			t.Errorf("ros status does not say %q:\n%s", want, out)
		}
	}
	if out := shell.run("sudo ros config set hostname mended && sudo ros config apply && hostname"); !strings.Contains(out, "\nmended") {
		t.Errorf("mending it: %s", out)
	}
}
