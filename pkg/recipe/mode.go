package recipe

import (
	"fmt"
	"strconv"
	"strings"
)

// Mode is a file mode in octal: "1777", 0755 or 0o755.
type Mode uint32

// UnmarshalText reads octal digits with or without YAML's mark for them: the
// scalar comes as it is written.
func (m *Mode) UnmarshalText(text []byte) error {
	v, err := strconv.ParseUint(strings.TrimPrefix(string(text), "0o"), 8, 32)
	if err != nil || v > 0o7777 {
		return fmt.Errorf("%q is not an octal file mode", text)
	}
	*m = Mode(v)
	return nil
}
