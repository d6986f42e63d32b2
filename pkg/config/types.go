package config

import (
	"github.com/testudo-os/testudo/pkg/netplan"
	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// Config is one source's configuration or, after Merge, the machine's. Absent
// keys are zero values; booleans whose absence means something are pointers.
type Config struct {
	Hostname         string      `yaml:"hostname" json:"hostname,omitempty"`
	FQDN             string      `yaml:"fqdn" json:"fqdn,omitempty"`
	PreferFQDN       *bool       `yaml:"prefer_fqdn_over_hostname" json:"prefer_fqdn_over_hostname,omitempty"` // absent: false
	PreserveHostname *bool       `yaml:"preserve_hostname" json:"preserve_hostname,omitempty"`                 // absent: false
	ManageEtcHosts   ManageHosts `yaml:"manage_etc_hosts" json:"manage_etc_hosts,omitempty"`

	User              *DefaultUserChange `yaml:"user" json:"user,omitempty"`
	Users             []User             `yaml:"users" json:"users,omitempty"`
	Groups            Groups             `yaml:"groups" json:"groups,omitempty"`
	Password          Secret             `yaml:"password" json:"password,omitempty"` // the default user's, plain or as a hash
	Chpasswd          Chpasswd           `yaml:"chpasswd" json:"chpasswd,omitzero"`
	SSHAuthorizedKeys []string           `yaml:"ssh_authorized_keys" json:"ssh_authorized_keys,omitempty"`
	SSHKeys           SSHKeys            `yaml:"ssh_keys" json:"ssh_keys,omitzero"`
	SSHDeleteKeys     *bool              `yaml:"ssh_deletekeys" json:"ssh_deletekeys,omitempty"` // absent: true
	SSHPwauth         Pwauth             `yaml:"ssh_pwauth" json:"ssh_pwauth,omitempty"`
	DisableRoot       *bool              `yaml:"disable_root" json:"disable_root,omitempty"` // absent: false, unlike cloud-init
	DisableRootOpts   string             `yaml:"disable_root_opts" json:"disable_root_opts,omitempty"`

	WriteFiles []WriteFile `yaml:"write_files" json:"write_files,omitempty"`
	CACerts    CACerts     `yaml:"ca_certs" json:"ca_certs,omitzero"`
	Timezone   string      `yaml:"timezone" json:"timezone,omitempty"`
	Locale     string      `yaml:"locale" json:"locale,omitempty"`
	NTP        NTP         `yaml:"ntp" json:"ntp,omitzero"`
	RandomSeed RandomSeed  `yaml:"random_seed" json:"random_seed,omitzero"`

	DeviceAliases      map[string]string    `yaml:"device_aliases" json:"device_aliases,omitempty"`
	DiskSetup          map[string]DiskSetup `yaml:"disk_setup" json:"disk_setup,omitempty"` // by disk or alias
	Growpart           Growpart             `yaml:"growpart" json:"growpart,omitzero"`
	FSSetup            []FSSetup            `yaml:"fs_setup" json:"fs_setup,omitempty"`
	Mounts             []MountEntry         `yaml:"mounts" json:"mounts,omitempty"`
	MountDefaultFields MountEntry           `yaml:"mount_default_fields" json:"mount_default_fields,omitempty"`
	Swap               Swap                 `yaml:"swap" json:"swap,omitzero"`
	ResizeRootfs       ResizeRootfs         `yaml:"resize_rootfs" json:"resize_rootfs,omitempty"`

	Bootcmd      []Command  `yaml:"bootcmd" json:"bootcmd,omitempty"`
	Runcmd       []Command  `yaml:"runcmd" json:"runcmd,omitempty"`
	PhoneHome    PhoneHome  `yaml:"phone_home" json:"phone_home,omitzero"`
	FinalMessage string     `yaml:"final_message" json:"final_message,omitempty"`
	PowerState   PowerState `yaml:"power_state" json:"power_state,omitzero"`

	ResolvConf ResolvConf `yaml:"resolv_conf" json:"resolv_conf,omitzero"`
	// Network is nil when no source says anything: DHCP on every card.
	Network *netplan.Config `yaml:"network" json:"network,omitempty"`

	Testudo Testudo `yaml:"testudo" json:"testudo,omitzero"`

	// Notes tell of keys that mean nothing here, and what to do instead.
	Notes []Note `yaml:"-" json:"-"`
}

// User is one entry of `users`, with cloud-init's fields. The entry "default"
// stands for the default user, see DefaultUser.
type User struct {
	Default           bool     `yaml:"-" json:"default,omitempty"` // the entry is the word "default"
	Name              string   `yaml:"name" json:"name,omitempty"`
	Gecos             string   `yaml:"gecos" json:"gecos,omitempty"`
	Groups            WordList `yaml:"groups" json:"groups,omitzero"`
	PrimaryGroup      string   `yaml:"primary_group" json:"primary_group,omitempty"`
	Sudo              Sudo     `yaml:"sudo" json:"sudo,omitzero"`
	Shell             string   `yaml:"shell" json:"shell,omitempty"`
	SSHAuthorizedKeys []string `yaml:"ssh_authorized_keys" json:"ssh_authorized_keys,omitempty"`
	Passwd            Secret   `yaml:"passwd" json:"passwd,omitempty"`               // a crypt(5) hash
	HashedPasswd      Secret   `yaml:"hashed_passwd" json:"hashed_passwd,omitempty"` // the same
	PlainTextPasswd   Secret   `yaml:"plain_text_passwd" json:"plain_text_passwd,omitempty"`
	LockPasswd        *bool    `yaml:"lock_passwd" json:"lock_passwd,omitempty"` // absent: true
	UID               *UID     `yaml:"uid" json:"uid,omitempty"`                 // absent: kept or allocated
	Homedir           string   `yaml:"homedir" json:"homedir,omitempty"`
	NoCreateHome      bool     `yaml:"no_create_home" json:"no_create_home,omitempty"`
	NoUserGroup       bool     `yaml:"no_user_group" json:"no_user_group,omitempty"` // the primary group is users
	System            bool     `yaml:"system" json:"system,omitempty"`               // a number below 1000, no home
	Inactive          Number   `yaml:"inactive" json:"inactive,omitempty"`           // days after a password expired
	Expiredate        string   `yaml:"expiredate" json:"expiredate,omitempty"`       // 2030-12-31
	SSHRedirectUser   bool     `yaml:"ssh_redirect_user" json:"ssh_redirect_user,omitempty"`
}

// WriteFile is one entry of `write_files`.
type WriteFile struct {
	Path        string `yaml:"path" json:"path"`
	Content     Secret `yaml:"content" json:"content,omitempty"`
	Encoding    string `yaml:"encoding" json:"encoding,omitempty"` // see Decode
	Owner       string `yaml:"owner" json:"owner,omitempty"`       // user[:group]; absent: root:root
	Permissions Mode   `yaml:"permissions" json:"permissions,omitempty"`
	Append      bool   `yaml:"append" json:"append,omitempty"`
	Defer       bool   `yaml:"defer" json:"defer,omitempty"`     // after users exist
	Service     string `yaml:"service" json:"service,omitempty"` // that sees the file; absent: the console
}

// NTP is cloud-init's `ntp`.
type NTP struct {
	Enabled *bool    `yaml:"enabled" json:"enabled,omitempty"` // absent: true
	Servers []string `yaml:"servers" json:"servers,omitempty"`
	Pools   []string `yaml:"pools" json:"pools,omitempty"`
	Peers   []string `yaml:"peers" json:"peers,omitempty"`
}

// Testudo holds the keys that are ours. Each may also stand on the kernel
// command line: testudo.console.autologin=ttyS0.
type Testudo struct {
	Sysctl  map[string]strictyaml.Text `yaml:"sysctl" json:"sysctl,omitempty"`   // sysctl(8) names
	Modules []Module                   `yaml:"modules" json:"modules,omitempty"` // loaded at boot, in order

	Services Services `yaml:"services" json:"services,omitzero"`
	Console  Console  `yaml:"console" json:"console,omitzero"`
	Syslog   Syslog   `yaml:"syslog" json:"syslog,omitzero"`
	Logging  Logging  `yaml:"logging" json:"logging,omitzero"`
	Docker   Docker   `yaml:"docker" json:"docker,omitzero"`
	State    State    `yaml:"state" json:"state,omitzero"`

	Network netplan.Testudo `yaml:"network" json:"network,omitzero"`

	Registries []Registry `yaml:"registries" json:"registries,omitempty"`
}

// Services says which services are wanted, against what the release says, and
// declares some.
type Services struct {
	Enable    []string          `yaml:"enable" json:"enable,omitempty"`
	Disable   []string          `yaml:"disable" json:"disable,omitempty"`
	Profiles  []string          `yaml:"profiles" json:"profiles,omitempty"`   // of Compose: which are active
	Variables map[string]Secret `yaml:"variables" json:"variables,omitempty"` // for ${NAME} in service files
	Declare   Declarations      `yaml:"declare" json:"declare,omitempty"`     // services, laid over those of files
}

// Console is the console service's configuration.
type Console struct {
	Autologin []string `yaml:"autologin" json:"autologin,omitempty"` // terminals: ttyS0, tty1
}

// Syslog is the syslog service's configuration.
type Syslog struct {
	// Remote is where log messages are sent besides the local files:
	// [udp://|tcp://]HOST[:PORT], by default udp and 514.
	Remote string `yaml:"remote" json:"remote,omitempty"`
}

// Logging concerns the store of logs that rosd keeps.
type Logging struct {
	// Remote is where all logs are sent besides: udp://, tcp:// or
	// tls://HOST[:PORT]; by default udp, and 514, or 6514 with tls.
	Remote []string `yaml:"remote" json:"remote,omitempty"`
	// TLSCA holds the certificates, in PEM, of those who may vouch for remotes
	// with tls. Absent: the release's own.
	TLSCA string `yaml:"tls_ca" json:"tls_ca,omitempty"`
}

// Docker is the docker service's configuration.
type Docker struct {
	RegistryMirrors    []string `yaml:"registry_mirrors" json:"registry_mirrors,omitempty"`
	InsecureRegistries []string `yaml:"insecure_registries" json:"insecure_registries,omitempty"`
}

// State concerns the state disk. init reads these before there is any file,
// so they count on the kernel command line only; files that set them are refused.
type State struct {
	Autoformat string `yaml:"autoformat" json:"autoformat,omitempty"` // "true" or a device
}
