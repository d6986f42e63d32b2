package service

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// Hash names what the service is run with. A running service whose declaration
// has another hash is restarted; where it is declared, and what only decides
// when it starts or restarts, does not count.
func (s Service) Hash() string {
	if s.hash != "" {
		return s.hash
	}
	s.Layers, s.Origins, s.Off = nil, nil, ""
	s.Source, s.DependsOn, s.Restart, s.Priority, s.Essential, s.Profiles = "", nil, Restart{}, 0, false, nil
	s.StartTimeout, s.Trial, s.Schedule = 0, 0, nil
	s.Pull, s.ImageDigest, s.LogSize = Pull{}, "", 0
	data, err := json.Marshal(s)
	if err != nil {
		return "" // no field of Service can fail to be encoded; TestHash holds that
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Sealed is s with its hash at hand, for a planner that asks for it again and
// again. It is not to be changed any more.
func (s Service) Sealed() Service {
	s.hash = ""
	s.hash = s.Hash()
	return s
}
