package api

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// A frame is a byte that says its kind, the length of what follows as four
// bytes, the highest first, and so many bytes. docs/api.md tells the world.
const (
	frameStdin  = 0 // to rosd: input; of no length: its end
	frameStdout = 1
	frameStderr = 2
	frameEnd    = 3 // the last one: ExecEnd in JSON
	frameResize = 4 // to rosd: Size in JSON
	frameSignal = 5 // to rosd: a signal's name
	frameTaken  = 6 // so many bytes of input have been passed on, as a decimal number
)

const (
	frameHeader = 5
	maxFrame    = 64 << 10
	// stdinWindow is how many bytes of input may be on their way, so that
	// input which nobody reads holds up no frame behind it.
	stdinWindow = 256 << 10
)

// errFrame is a stream that is not one of frames.
var errFrame = errors.New("a frame is larger than it may be")

// readFrame reads one frame. io.EOF: the stream ended between two.
func readFrame(r io.Reader) (kind byte, data []byte, err error) {
	var header [frameHeader]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(header[1:])
	if n > maxFrame {
		return 0, nil, fmt.Errorf("%w: %d bytes", errFrame, n)
	}
	data = make([]byte, n)
	if _, err := io.ReadFull(r, data); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	return header[0], data, nil
}

// frames writes frames, each as a whole. It is safe for concurrent use.
type frames struct {
	mu sync.Mutex
	w  io.Writer
}

func (f *frames) send(kind byte, data []byte) error {
	if len(data) > maxFrame {
		return fmt.Errorf("%w: %d bytes", errFrame, len(data))
	}
	packet := make([]byte, frameHeader, frameHeader+len(data))
	packet[0] = kind
	binary.BigEndian.PutUint32(packet[1:], uint32(len(data)))
	f.mu.Lock()
	defer f.mu.Unlock()
	_, err := f.w.Write(append(packet, data...))
	return err
}

// stream is a writer of frames of one kind.
func (f *frames) stream(kind byte) io.Writer { return &frameStream{f, kind} }

type frameStream struct {
	to   *frames
	kind byte
}

func (s *frameStream) Write(data []byte) (n int, err error) {
	for n < len(data) {
		piece := data[n:min(len(data), n+maxFrame)]
		if err := s.to.send(s.kind, piece); err != nil {
			return n, err
		}
		n += len(piece)
	}
	return n, nil
}

// window holds the input that has come and was not read yet, of which there is
// never more than stdinWindow.
type window struct {
	taken func(n int) error // tells the sender that there is room again

	mu   sync.Mutex
	news sync.Cond
	data []byte
	err  error // after data
}

func newWindow(taken func(int) error) *window {
	w := &window{taken: taken}
	w.news.L = &w.mu
	return w
}

// add takes in a piece; an empty one is the end. It does not wait.
func (w *window) add(piece []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.err != nil:
		return errors.New("input after its end")
	case len(piece) == 0:
		w.err = io.EOF
	case len(w.data)+len(piece) > stdinWindow:
		return fmt.Errorf("more than %d bytes of input at once", stdinWindow)
	}
	w.data = append(w.data, piece...)
	w.news.Broadcast()
	return nil
}

// close ends reading, also of what is there.
func (w *window) close(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.data, w.err = nil, err
	w.news.Broadcast()
}

func (w *window) Read(into []byte) (int, error) {
	w.mu.Lock()
	for len(w.data) == 0 && w.err == nil {
		w.news.Wait()
	}
	n := copy(into, w.data)
	w.data = w.data[n:]
	err := w.err
	w.mu.Unlock()
	if n == 0 {
		return 0, err
	}
	return n, w.taken(n)
}
