// Package config is the typed form of a machine's configuration: #cloud-config
// YAML with cloud-init's own names and meanings, and Testudo's keys under
// `testudo:`. It parses strictly, checks values, reads testudo.* arguments of
// the kernel command line, merges sources and hides secrets.
//
// It does no I/O but reading and writing the resolved configuration, and knows
// nothing of where sources come from: pkg/settings and pkg/datasource do.
// Anyone but init may import it.
//
// A key is added in three places: its field in types.go, its check in
// validate.go, and, when it does not simply replace, its rule in merge.go.
package config
