//go:build !amd64

package vmware

// Do says that there is no such port on this kind of processor.
func Do(func(Port) error) error { return ErrAbsent }
