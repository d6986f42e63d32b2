package netplan

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"time"
)

// JSON is written as the YAML stands, so that what `ros config export` prints
// can be read again.

type addressOptions struct {
	Lifetime string `json:"lifetime,omitempty"`
	Label    string `json:"label,omitempty"`
}

// MarshalJSON writes "192.0.2.5/24", or a mapping of it to its options.
func (a Address) MarshalJSON() ([]byte, error) {
	if a.Lifetime == "" && a.Label == "" {
		return json.Marshal(a.Prefix)
	}
	return json.Marshal(map[string]addressOptions{a.Prefix.String(): {a.Lifetime, a.Label}})
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (a *Address) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, &a.Prefix)
	}
	var m map[string]addressOptions
	if err := json.Unmarshal(data, &m); err != nil {
		return err
	}
	if len(m) != 1 {
		return fmt.Errorf("want one address, found %d", len(m))
	}
	for text, o := range m {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return err
		}
		*a = Address{Prefix: p, Lifetime: o.Lifetime, Label: o.Label}
	}
	return nil
}

// MarshalJSON writes the number or the key.
func (k TunnelKey) MarshalJSON() ([]byte, error) {
	if k.Number != nil {
		return json.Marshal(*k.Number)
	}
	return json.Marshal(string(k.Secret))
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (k *TunnelKey) UnmarshalJSON(data []byte) error {
	if v, err := strconv.ParseUint(string(data), 10, 32); err == nil {
		number := uint32(v)
		k.Number = &number
		return nil
	}
	return json.Unmarshal(data, (*string)(&k.Secret))
}

// MarshalText writes 100ms.
func (m Milliseconds) MarshalText() ([]byte, error) { return []byte(time.Duration(m).String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (m *Milliseconds) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*m = Milliseconds(v)
	return err
}

// MarshalText writes 15s.
func (s Seconds) MarshalText() ([]byte, error) { return []byte(time.Duration(s).String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (s *Seconds) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*s = Seconds(v)
	return err
}
