package datasource

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/testudo-os/testudo/pkg/atomicfile"
)

// Cache keeps the last data that were good, for boots without the source and
// for sources that have gone bad.
type Cache struct{ Path string }

// Load gives the kept data; ErrNone without any.
func (c Cache) Load() (*Data, error) {
	text, err := os.ReadFile(c.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNone
	}
	if err != nil {
		return nil, fmt.Errorf("read kept datasource: %w", err)
	}
	data := &Data{}
	if err := json.Unmarshal(text, data); err != nil {
		return nil, fmt.Errorf("read kept datasource %s: %w", c.Path, err)
	}
	data.Meta.InstanceID = SafeID(data.Meta.InstanceID)
	return data, nil
}

// For says whether kept data may be used on a machine: they are its own, or
// nothing tells whose they are. A disk that was copied into another machine of
// a cloud must not make it the first one's twin.
func (d *Data) For(fingerprint string) bool {
	return d.Machine == "" || fingerprint == "" || d.Machine == fingerprint
}

// Save keeps data. The disk is not written when it holds them already.
func (c Cache) Save(data *Data) error {
	text, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("keep datasource: %w", err)
	}
	if have, err := os.ReadFile(c.Path); err == nil && bytes.Equal(have, text) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(c.Path), 0o700); err != nil {
		return fmt.Errorf("keep datasource: %w", err)
	}
	if err := atomicfile.Write(c.Path, text, 0o600); err != nil {
		return fmt.Errorf("keep datasource: %w", err)
	}
	return nil
}
