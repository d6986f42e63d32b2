// Package netplan is the typed form of the configuration key `network`: the
// names, forms and meanings of netplan, which cloud-init's "version 2" are,
// and cloud-init's "version 1", translated into the same types while it is
// read. What neither has is under `testudo.network`, type Testudo.
//
// Decoding is strict: pkg/strictyaml tells every mistake with its place, and
// what is impossible in itself (a bond of an interface that nobody defines,
// two equal default routes) is told in the same way. The package does no I/O
// and decides nothing about a running machine: pkg/netconf does. Anyone may
// import it.
//
// Sources: https://netplan.readthedocs.io/en/stable/netplan-yaml/ and
// https://docs.cloud-init.io/en/latest/reference/network-config-format-v1.html.
package netplan
