package apply

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	securejoin "github.com/cyphar/filepath-securejoin"

	"github.com/testudo-os/testudo/pkg/atomicfile"
	"github.com/testudo-os/testudo/pkg/regularfile"
)

const (
	// zoneinfo is where time zones lie.
	zoneinfo = "/usr/share/zoneinfo"
	utc      = "Etc/UTC"
	// mostZone is more than any file of a zone holds.
	mostZone = 64 << 10
)

// Timezone points root's /etc/localtime at a zone and names it in
// /etc/timezone. Without a zone it is UTC, and also when the zone is not
// known, which is an error besides.
func Timezone(root, zone string) error {
	if zone == "" {
		zone = utc
	}
	err := known(root, zone)
	if err != nil {
		zone = utc
	}
	return errors.Join(err, useZone(root, zone))
}

// known says whether root has the file of a zone. The folder also holds files
// that are none, so it is what is in a file that counts (RFC 8536, 3.1).
func known(root, zone string) error {
	path, err := securejoin.SecureJoin(root, filepath.Join(zoneinfo, zone))
	if err != nil {
		return fmt.Errorf("timezone: %w", err)
	}
	content, err := regularfile.Read(path, mostZone)
	if err != nil || len(content) < 4 || string(content[:4]) != "TZif" {
		return fmt.Errorf("timezone: there is no zone %q (`find %s` lists them); UTC is used", zone, zoneinfo)
	}
	return nil
}

func useZone(root, zone string) error {
	link, err := below(root, "/etc/localtime")
	if err != nil {
		return fmt.Errorf("timezone: %w", err)
	}
	if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("timezone: %w", err)
	}
	if err := os.Symlink(filepath.Join(zoneinfo, zone), link); err != nil {
		return fmt.Errorf("timezone: %w", err)
	}
	name, err := below(root, "/etc/timezone")
	if err != nil {
		return fmt.Errorf("timezone: %w", err)
	}
	if err := atomicfile.Write(name, []byte(zone+"\n"), 0o644); err != nil {
		return fmt.Errorf("timezone: %w", err)
	}
	return nil
}
