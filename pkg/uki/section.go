package uki

import (
	"bytes"
	"debug/pe"
	"errors"
	"fmt"
	"slices"
)

// Section is one part of an image.
type Section struct {
	Name string // .linux, .initrd, .cmdline, .osrel, .uname, .sbat, ...
	Data []byte
}

// measured lists the sections that systemd-stub measures into PCR 11, in the
// order in which it does (systemd-stub(7); src/fundamental/uki.h of systemd).
func measured() []string {
	return []string{".linux", ".osrel", ".cmdline", ".initrd", ".ucode", ".splash", ".dtb", ".uname", ".sbat", ".pcrpkey"}
}

// Read gives the sections of an image that a unified kernel image may have;
// those of the stub itself are left out. An image without a kernel is none.
func Read(image []byte) ([]Section, error) {
	f, err := pe.NewFile(bytes.NewReader(image))
	if err != nil {
		return nil, fmt.Errorf("unified kernel image: %w", err)
	}
	defer f.Close()
	var out []Section
	for _, s := range f.Sections {
		if !slices.Contains(measured(), s.Name) {
			continue
		}
		data, err := s.Data()
		if err != nil {
			return nil, fmt.Errorf("unified kernel image: section %s: %w", s.Name, err)
		}
		if uint64(s.VirtualSize) > uint64(len(data)) {
			return nil, fmt.Errorf("unified kernel image: section %s holds %d bytes of %d", s.Name, len(data), s.VirtualSize)
		}
		// On disk a section is padded to the file's alignment.
		out = append(out, Section{s.Name, data[:s.VirtualSize]})
	}
	if Find(out, ".linux") == nil {
		return nil, errors.New("unified kernel image: there is no kernel in it (.linux)")
	}
	return out, nil
}

// Find is the content of the named section, or nil.
func Find(sections []Section, name string) []byte {
	for _, s := range sections {
		if s.Name == name {
			return s.Data
		}
	}
	return nil
}
