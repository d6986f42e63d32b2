package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
)

const mib = 1 << 20

// sizes tells what the subject ships and what is in it.
func (b *Bench) sizes(ctx context.Context, s Subject, r *Result) error {
	var plain, packed int64
	for _, file := range []string{s.Kernel, s.Initrd} {
		if file == "" {
			continue
		}
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		small, err := b.zstdSize(ctx, file)
		if err != nil {
			return err
		}
		plain += info.Size()
		packed += min(small, info.Size())
	}
	files := s.Files
	if s.OCI != "" {
		images, all, err := countImages(s.OCI, func(name string) bool {
			return !slices.Contains(s.LeaveOut, imageName(name))
		})
		if err != nil {
			return err
		}
		r.Images, files = images, all
		if err := files.addTarFile(s.BaseTar); err != nil {
			return err
		}
	}
	if files != nil {
		r.Figures[Unpacked] = float64(files.Bytes) / mib
		r.Figures[Setuid] = float64(len(files.Setuid))
		r.Figures[Programs] = float64(files.ELF)
		r.SetuidOf = files.Setuid
	}
	if s.Root != "" {
		plain += files.Bytes
		packed += s.RootZstd
	}
	r.Figures[Shipped] = float64(plain) / mib
	r.Figures[ShippedZstd] = float64(packed) / mib
	return nil
}

// zstdSize is how many bytes zstd -19 makes of a file.
func (b *Bench) zstdSize(ctx context.Context, file string) (int64, error) {
	return countOutput(b.Tools.Command(ctx, "zstd", "-19", "-T0", "-q", "-c", file))
}

// countOutput runs a command for the number of bytes that it writes.
func countOutput(cmd *exec.Cmd) (int64, error) {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	n, copyErr := io.Copy(io.Discard, out)
	if err := cmd.Wait(); err != nil {
		return 0, fmt.Errorf("%s: %w\n%s", cmd.Path, err, stderr.String())
	}
	return n, copyErr
}

// imageName takes "docker" out of "testudo/docker:0.1.0".
func imageName(ref string) string {
	name, _, _ := strings.Cut(path.Base(ref), ":")
	return name
}
