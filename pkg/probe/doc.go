// Package probe looks at a running service from outside: does a port answer,
// does a web server say that it is well, is a file there. It enters the
// service's network and file system for it, so that the image needs no shell
// and no curl. It decides nothing: pkg/manager asks it and draws conclusions.
package probe
