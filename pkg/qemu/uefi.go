package qemu

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// UEFI is firmware with variables that last. See NewUEFI.
type UEFI struct {
	Code      string // OVMF's program, shared by all machines
	Variables string // this machine's own copy of its store
}

// Where Debian's ovmf package has them.
const (
	ovmfCode      = "usr/share/OVMF/OVMF_CODE_4M.fd"
	ovmfVariables = "usr/share/OVMF/OVMF_VARS_4M.fd"
)

// Files finds files of Debian's packages; pkg/tools is the one in use.
type Files interface {
	Path(name string) string
}

// NewUEFI gives the firmware with its store of variables in the named file,
// which is made when it is not there: a machine that is started again with it
// knows what it knew.
func NewUEFI(files Files, variables string) (*UEFI, error) {
	u := &UEFI{Code: files.Path(ovmfCode), Variables: variables}
	to, err := os.OpenFile(variables, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if os.IsExist(err) {
		return u, nil
	}
	if err != nil {
		return nil, fmt.Errorf("UEFI variables: %w", err)
	}
	defer to.Close()
	from, err := os.Open(files.Path(ovmfVariables))
	if err != nil {
		return nil, fmt.Errorf("UEFI variables: %w", err)
	}
	defer from.Close()
	if _, err := io.Copy(to, from); err != nil {
		return nil, fmt.Errorf("UEFI variables: %w", err)
	}
	return u, to.Close()
}

func (u *UEFI) arguments() []string {
	return []string{
		"-drive", "if=pflash,unit=0,format=raw,readonly=on,file=" + u.Code,
		"-drive", "if=pflash,unit=1,format=raw,file=" + u.Variables,
	}
}

// StubArguments makes systemd's EFI stub add kernel arguments to those of the
// unified kernel image (systemd-stub(7)).
func StubArguments(args string) []string {
	// QEMU's option parser reads two commas as one.
	return []string{"-smbios", "type=11,value=io.systemd.stub.kernel-cmdline-extra=" + strings.ReplaceAll(args, ",", ",,")}
}
