// Package upgrade moves a service from one image to another and back, without
// a reboot: fetch the new beside the old, record the attempt on the state disk,
// run the new on trial, and settle. Until it is settled the record says what to
// go back to, so that a rosd that is killed at any step leaves the next one
// enough to finish, and a machine that restarts within a trial runs the old.
//
// It decides which image a service runs and nothing else: the trial itself is
// pkg/service's, as of any change. docs/supervision.md tells users.
package upgrade
