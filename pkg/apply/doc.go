// Package apply does what the configuration says inside a root: write_files,
// bootcmd and runcmd in the console's, the time zone in the host's. Accounts
// are pkg/account's. rosd calls Timezone; the console calls, in this order:
//
//	apply.Bootcmd      at every start
//	apply.WriteFiles   those without defer
//	account.Apply
//	apply.DeferredFiles
//	apply.Runcmd       once per instance
//
// Everything does what it can and joins the errors: one bad entry does not
// keep the others from being done. It knows nothing of containers, and starts
// processes only through the Runner it is given, because PID 1 of a container
// has its own way to wait for them.
package apply
