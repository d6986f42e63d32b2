package config

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// maxContent bounds what a compressed content may unpack to.
const maxContent = 64 << 20

var errEncoding = errors.New("want b64, base64, gz, gzip, gz+b64, gz+base64, gzip+b64, gzip+base64 or text/plain")

func isEncodingError(err error) bool { return errors.Is(err, errEncoding) }

// asText encodes what came as !!binary: JSON, which carries a configuration to
// services, holds text alone.
func asText(cfg *Config) {
	for i, f := range cfg.WriteFiles {
		if !utf8.ValidString(string(f.Content)) {
			cfg.WriteFiles[i].Content = Secret(base64.StdEncoding.EncodeToString([]byte(f.Content)))
			cfg.WriteFiles[i].Encoding = strings.TrimPrefix(f.Encoding+"+b64", "+")
		}
	}
	if r := &cfg.RandomSeed; !utf8.ValidString(string(r.Data)) {
		encoding := r.Encoding
		if encoding == "raw" {
			encoding = ""
		}
		r.Data = Secret(base64.StdEncoding.EncodeToString([]byte(r.Data)))
		r.Encoding = strings.TrimPrefix(encoding+"+b64", "+")
	}
}

// Decode gives the file's bytes.
func (f WriteFile) Decode() ([]byte, error) {
	data := []byte(f.Content)
	gz, b64 := false, false
	for word := range strings.SplitSeq(f.Encoding, "+") {
		switch strings.ToLower(strings.TrimSpace(word)) {
		case "", "text/plain":
		case "b64", "base64":
			b64 = true
		case "gz", "gzip":
			gz = true
		default:
			return nil, errEncoding
		}
	}
	if b64 {
		// Line breaks are how base64 stands in YAML; the decoder skips \n and \r alone.
		decoded, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(data)), ""))
		if err != nil {
			return nil, errors.New("found content that is not base64")
		}
		data = decoded
	}
	if gz {
		r, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, errors.New("found content that is not gzip data")
		}
		if data, err = io.ReadAll(io.LimitReader(r, maxContent+1)); err != nil {
			return nil, errors.New("found gzip data that is damaged")
		}
		if len(data) > maxContent {
			return nil, fmt.Errorf("content unpacks to more than %d MiB", maxContent>>20)
		}
	}
	return data, nil
}
