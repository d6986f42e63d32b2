package bench

import "fmt"

// Figure names one number of the table.
type Figure string

// The figures. Times are seconds, sizes MiB.
const (
	InitAt            Figure = "init_seconds"
	SSHAt             Figure = "ssh_seconds"
	SSHRatio          Figure = "ssh_ratio"
	RuntimeAt         Figure = "runtime_seconds"
	SSHBusy           Figure = "ssh_minstructions"
	PowerOff          Figure = "poweroff_seconds"
	SSHWall           Figure = "ssh_wall_seconds"
	SSHCPU            Figure = "ssh_host_cpu_seconds"
	RuntimeWall       Figure = "runtime_wall_seconds"
	PowerOffWall      Figure = "poweroff_wall_seconds"
	MemoryIdle        Figure = "memory_idle_mib"
	MemoryAbove       Figure = "memory_above_bare_mib"
	MemoryLeast       Figure = "memory_least_mib"
	Shipped           Figure = "shipped_mib"
	ShippedZstd       Figure = "shipped_zstd_mib"
	Unpacked          Figure = "unpacked_mib"
	ListenTCP         Figure = "listening_tcp"
	ListenUDP         Figure = "listening_udp"
	Setuid            Figure = "setuid_files"
	Programs          Figure = "elf_files"
	Processes         Figure = "processes"
	ServiceBusy       Figure = "service_minstructions"
	ServiceMemory     Figure = "service_memory_mib"
	ServiceStart      Figure = "service_start_seconds"
	CtrStart          Figure = "ctr_start_seconds"
	ServiceStartRatio Figure = "service_start_ratio"
	ManagerFew        Figure = "manager_memory_few_mib"
	ManagerMany       Figure = "manager_memory_many_mib"
	PlanMany          Figure = "plan_thousand_ms"
	StoreRate         Figure = "log_lines_per_second"
	StoreLine         Figure = "log_line_us"
)

// column is how a figure is printed.
type column struct {
	figure   Figure
	title    string
	decimals int
}

// columns are the rows of the printed table, in order.
func columns() []column {
	return []column{
		{InitAt, "first instruction of user space, s counted", 2},
		{SSHAt, "ssh answers, s counted", 2},
		{SSHRatio, "  as a multiple of the bare kernel", 2},
		{SSHBusy, "  million instructions run until then", 0},
		{RuntimeAt, "user runtime answers, s counted", 2},
		{PowerOff, "power off, s counted", 2},
		{SSHWall, "ssh answers, s wall", 1},
		{SSHCPU, "  of QEMU's processor time", 1},
		{RuntimeWall, "user runtime answers, s wall", 1},
		{PowerOffWall, "power off, s wall", 1},
		{MemoryIdle, "memory in use when idle, MiB of 1024", 0},
		{MemoryAbove, "  above the bare kernel, MiB", 0},
		{MemoryLeast, "least memory that boots to ssh, MiB", 0},
		{Shipped, "shipped: kernel, initrd, root, MiB", 1},
		{ShippedZstd, "  with zstd -19, MiB", 1},
		{Unpacked, "files of root or images, MiB", 1},
		{ListenTCP, "listening TCP sockets", 0},
		{ListenUDP, "open UDP sockets", 0},
		{Setuid, "setuid and setgid programs", 0},
		{Programs, "ELF files", 0},
		{Processes, "processes when idle", 0},
		{ServiceBusy, "one more service, million instructions", 0},
		{ServiceMemory, "one more service, MiB", 1},
		{ServiceStart, "a service runs, s counted from the request", 3},
		{CtrStart, "  the same image as ctr run has it", 3},
		{ServiceStartRatio, "  as a multiple of that", 2},
		{ManagerFew, fmt.Sprintf("rosd in memory with %d services, MiB", fewServices), 1},
		{ManagerMany, fmt.Sprintf("rosd in memory with %d services, MiB", manyServices), 1},
		{PlanMany, "planning 1,000 services, ms on the host", 2},
		{StoreRate, "log store, lines a second on the host", 0},
		{StoreLine, "  for one line, µs", 2},
	}
}
