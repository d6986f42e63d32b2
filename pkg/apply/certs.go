package apply

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/testudo-os/testudo/pkg/atomicfile"
	"github.com/testudo-os/testudo/pkg/config"
)

// Where programs look for those who may vouch for others, and what the image
// had there.
const (
	caBundle      = "/etc/ssl/certs/ca-certificates.crt"
	caBundleImage = "/etc/ssl/certs/.image.crt"
)

// CACerts makes root's bundle of certificates of the image's, unless they are
// removed, and the trusted ones.
func CACerts(root string, certs config.CACerts) error {
	bundle, err := below(root, caBundle)
	if err != nil {
		return fmt.Errorf("ca_certs: %w", err)
	}
	kept, err := below(root, caBundleImage)
	if err != nil {
		return fmt.Errorf("ca_certs: %w", err)
	}
	image, err := os.ReadFile(kept)
	if errors.Is(err, fs.ErrNotExist) {
		if len(certs.Trusted) == 0 && !certs.RemoveDefaults {
			return nil // as the image has it, and always had
		}
		if image, err = os.ReadFile(bundle); err == nil {
			err = atomicfile.Write(kept, image, 0o644)
		}
	}
	if err != nil {
		return fmt.Errorf("ca_certs: %w", err)
	}
	if err := atomicfile.Write(bundle, []byte(Bundle(string(image), certs)), 0o644); err != nil {
		return fmt.Errorf("ca_certs: %w", err)
	}
	return nil
}

// Bundle puts certificates behind one another.
func Bundle(image string, certs config.CACerts) string {
	var b strings.Builder
	if !certs.RemoveDefaults && image != "" {
		b.WriteString(strings.TrimRight(image, "\n") + "\n")
	}
	for _, pem := range certs.Trusted {
		b.WriteString(strings.TrimSpace(pem) + "\n")
	}
	return b.String()
}
