// Package layout names every path, label and kernel argument that more than
// one Testudo program relies on. It holds constants only: no code, no I/O.
// Anyone may import it; it imports nothing.
package layout

// The system image: read-only, the same bytes on every machine of a release.
const (
	Containerd       = "/usr/bin/containerd"
	ContainerdConfig = "/usr/share/testudo/containerd.toml"
	Shim             = "/usr/bin/containerd-shim-runc-v2"
	Runc             = "/usr/bin/runc"
	Tini             = "/usr/bin/tini-static" // put before the command of services with `init: true`
	Rosd             = "/usr/bin/rosd"
	Ros              = "/usr/bin/ros"
	Busybox          = "/usr/bin/busybox"
	E2fsck           = "/usr/sbin/e2fsck"
	Mke2fs           = "/usr/sbin/mke2fs"
	Modules          = "/usr/lib/modules" // one folder per kernel release below it
	OSRelease        = "/usr/lib/os-release"
	EtcSkeleton      = "/usr/share/testudo/etc"      // copied to the tmpfs on /etc at boot
	Services         = "/usr/share/testudo/services" // built-in service files
	Catalog          = "/usr/share/testudo/catalog"  // services that people may enable
	ServiceSchema    = "/usr/share/testudo/schema/services.json"
	VendorConfig     = "/usr/share/testudo/vendor.yaml" // configuration by whoever built the image
	Images           = "/usr/share/testudo/images"      // NAME/{manifest.json,config.json,ref}
	Layers           = "/usr/share/testudo/layers"      // sha256/xx/DIFFID.erofs
)

// Inside the initial ramfs.
const (
	InitramfsImage    = "/system.img"      // EROFS followed by its dm-verity hash tree
	InitramfsRootHash = "/system.roothash" // "ROOTHASH HASHOFFSET\n": hex, then bytes to the tree's superblock
	InitramfsModules  = "/modules"         // *.ko side by side with modules.{dep,alias,softdep,builtin}
)

// /run: lives as long as the boot.
const (
	RunDir           = "/run/testudo"
	APISocket        = "/run/testudo/api.sock"
	ContainerdSocket = "/run/testudo/containerd/containerd.sock"
	ContainerdRoot   = "/run/testudo/containerd/root"
	ContainerdState  = "/run/testudo/containerd/state"
	RuncRoot         = "/run/testudo/runc"
	ServiceRecords   = "/run/testudo/services"            // NAME.json: what the next rosd must know
	BootRecord       = "/run/testudo/boot.json"           // []api.BootStep written by init
	MachineRecord    = "/run/testudo/machine.json"        // init's findings: state disk, warnings (api.Machine)
	ResolvedConfig   = "/run/testudo/config.json"         // configuration in force, 0600, written by rosd
	Rendered         = "/run/testudo/rendered"            // SERVICE/...: files rosd renders from the configuration
	ServiceFiles     = "/run/testudo/files"               // SERVICE/PATH: write_files that name a service
	IODir            = "/run/testudo/io"                  // SERVICE/{stdout,stderr} FIFOs
	NotifyDir        = "/run/testudo/notify"              // SERVICE/notify.sock (sd_notify)
	ComposeDir       = "/run/testudo/compose"             // compose.yaml: services of scope user
	NetworkDir       = "/run/testudo/network"             // leases (INDEX.json), ntp/dhcp.sources for chrony
	NetworkStatus    = "/run/testudo/network/status.json" // netstatus.Network, written by network
	ResolvConf       = "/run/testudo/resolv/resolv.conf"  // written by network; /etc/resolv.conf is a symlink to it everywhere
	SyslogDir        = "/run/syslog"                      // dev-log socket; /dev/log is a symlink to it
)

// The state disk and what is bound from it. docs/state.md is the table for users.
const (
	StateLabel   = "TESTUDO_STATE"
	ESPLabel     = "TESTUDO_ESP"
	State        = "/state"
	StateHome    = "/state/home"    // /home
	StateRoot    = "/state/root"    // /root
	StateTestudo = "/state/testudo" // /var/lib/testudo
	StateDocker  = "/state/docker"  // /var/lib/docker
	StateLog     = "/state/log"     // /var/log

	VarTestudo   = "/var/lib/testudo"
	ConfigDir    = "/var/lib/testudo/config"               // cloud-config.yaml: the machine's file
	UserServices = "/var/lib/testudo/services"             // *.yaml
	ImageStore   = "/var/lib/testudo/images"               // pulled and imported images (pkg/imagestore); containerd.toml names its layers
	Pins         = "/var/lib/testudo/upgrades"             // NAME.json: which image a service runs (pkg/upgrade)
	Choices      = "/var/lib/testudo/service-choices.yaml" // what `ros service enable` and `disable` said
	SSHKeys      = "/var/lib/testudo/ssh"                  // host keys
	MachineID    = "/var/lib/testudo/machine-id"
	RandomSeed   = "/var/lib/testudo/random-seed"
	InstanceDir  = "/var/lib/testudo/instance" // what was done once for this instance
	VarLog       = "/var/log"
	ServiceLogs  = "/var/log/testudo"         // SERVICE/*.log: see pkg/logs
	LogPositions = "/var/lib/testudo/logging" // TARGET.json: how far logs have been forwarded
)

// Kernel arguments that init itself reads; rosd reads the rest of testudo.*.
const (
	ArgAutoformat = "testudo.state.autoformat" // true, or a device path
	ArgBreak      = "testudo.break"            // name of a boot step to stop before, with a shell
	ArgWatchdog   = "testudo.watchdog"         // seconds, 0 = leave it alone
	ArgRepair     = "testudo.state.repair"     // e2fsck -y on a state disk that e2fsck -p gives up on
)

// Signals between PID 1, rosd and the world.
//
//	PID 1: SIGRTMIN+4 power off, SIGRTMIN+5 reboot, SIGRTMIN+3 halt (as systemd),
//	       SIGTERM and SIGINT (ctrl-alt-del) reboot, SIGPWR power off.
//	rosd:  SIGTERM leave (services keep running), SIGPWR stop all services in
//	       reverse dependency order, then leave.
const (
	SigHalt     = 34 + 3
	SigPowerOff = 34 + 4
	SigReboot   = 34 + 5
)

// GIDSudo is the group whose members are administrators.
const GIDSudo = 27

// Namespace is the containerd namespace of the OS's own services.
const Namespace = "system"
