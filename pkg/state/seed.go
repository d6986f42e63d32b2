package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A seed file is seedSize random bytes and one more that says whether they
// came from a generator that was initialised, and so count as entropy.
const (
	seedSize = 512
	seedGood = 1
)

// RNG is the kernel's random number generator.
type RNG interface {
	Mix(b []byte) error    // stir in, without counting it
	Credit(b []byte) error // stir in and count it as entropy
	// Read fills b and says whether the generator was initialised.
	Read(b []byte) (initialised bool, err error)
}

// RotateSeed stirs the saved seed in and replaces it before it counts: the
// same seed must never count twice, also not after a power cut or on a copy of
// a disk that cannot be written. An absent seed is made.
func RotateSeed(file string, rng RNG) error {
	old, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the random seed: %w", err)
	}
	if len(old) > 0 {
		if err := rng.Mix(old); err != nil {
			return fmt.Errorf("use the random seed: %w", err)
		}
	}
	if err := SaveSeed(file, rng); err != nil {
		return err
	}
	if len(old) == seedSize+1 && old[seedSize] == seedGood {
		if err := rng.Credit(old[:seedSize]); err != nil {
			return fmt.Errorf("credit the random seed: %w", err)
		}
	}
	return nil
}

// SaveSeed keeps a new seed for the next boot.
func SaveSeed(file string, rng RNG) error {
	seed := make([]byte, seedSize+1)
	initialised, err := rng.Read(seed[:seedSize])
	if err != nil {
		return fmt.Errorf("make a random seed: %w", err)
	}
	if initialised {
		seed[seedSize] = seedGood
	}
	if err := WriteSafely(file, seed, 0o600); err != nil {
		return fmt.Errorf("save the random seed: %w", err)
	}
	return nil
}

// KernelRNG is the generator of this machine (random(4)).
type KernelRNG struct{}

// Mix writes to /dev/urandom.
func (KernelRNG) Mix(b []byte) error {
	f, err := os.OpenFile("/dev/urandom", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Close())
}

// Credit is RNDADDENTROPY, whose argument is two ints and then the bytes.
func (KernelRNG) Credit(b []byte) error {
	f, err := os.OpenFile("/dev/urandom", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	var info struct {
		bits, size int32
		data       [seedSize]byte
	}
	n := copy(info.data[:], b)
	info.bits, info.size = int32(n*8), int32(n)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), unix.RNDADDENTROPY, uintptr(unsafe.Pointer(&info))); errno != 0 {
		return errno
	}
	return nil
}

// Read takes random bytes without waiting for the generator.
func (KernelRNG) Read(b []byte) (initialised bool, err error) {
	n, err := unix.Getrandom(b, unix.GRND_NONBLOCK)
	if err == nil && n == len(b) {
		return true, nil
	}
	if err != nil && !errors.Is(err, unix.EAGAIN) {
		return false, err
	}
	n, err = unix.Getrandom(b, unix.GRND_INSECURE)
	if err == nil && n < len(b) {
		err = fmt.Errorf("%d of %d bytes", n, len(b))
	}
	return false, err
}
