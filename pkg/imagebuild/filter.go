package imagebuild

import (
	"errors"
	"fmt"
	"sort"

	"github.com/testudo-os/testudo/pkg/recipe"
)

// dropped are files of packages that no image needs: documentation,
// translations, and what belongs to another init system, to a packaging tool
// or to a desktop. A recipe's paths.include takes them back.
var dropped = [...]string{
	"/etc/apparmor.d", "/etc/apport", "/etc/bash_completion.d", "/etc/cron*", "/etc/default", "/etc/init", "/etc/init.d",
	"/etc/logcheck", "/etc/logrotate.d", "/etc/network", "/etc/ppp", "/etc/rc*.d", "/etc/runit", "/etc/sv", "/etc/systemd",
	"/etc/ufw", "/etc/xdg", "/etc/X11", "/etc/update-motd.d", "/etc/dpkg", "/etc/kernel", "/etc/initramfs-tools",
	"/usr/games", "/usr/include", "/usr/lib/init", "/usr/lib/kernel", "/usr/lib/locale", "/usr/lib/modules-load.d",
	"/usr/lib/runit-helper", "/usr/lib/systemd", "/usr/lib/sysusers.d", "/usr/lib/tmpfiles.d", "/usr/lib/sysctl.d",
	"/usr/lib/mime", "/usr/lib/pcrlock.d", "/usr/lib/environment.d", "/usr/lib/sasl2", "/usr/lib/cruft", "/usr/lib/pkgconfig",
	"/usr/lib/dracut", "/usr/lib/python3*",
	"/usr/lib/x86_64-linux-gnu/gconv", "/usr/lib/x86_64-linux-gnu/pkgconfig", "/usr/lib/x86_64-linux-gnu/perl*",
	"/usr/lib/x86_64-linux-gnu/ossl-modules/legacy.so", "/usr/lib/x86_64-linux-gnu/engines-3",
	"/usr/lib/x86_64-linux-gnu/**.a", "/usr/lib/x86_64-linux-gnu/**.la",
	"/usr/share/applications", "/usr/share/apport", "/usr/share/apps", "/usr/share/bash-completion", "/usr/share/bug",
	"/usr/share/calendar", "/usr/share/common-licenses", "/usr/share/dbus-1", "/usr/share/debconf", "/usr/share/doc",
	"/usr/share/doc-base", "/usr/share/fish", "/usr/share/gcc", "/usr/share/gdb", "/usr/share/i18n", "/usr/share/icons",
	"/usr/share/info", "/usr/share/initramfs-tools", "/usr/share/lintian", "/usr/share/locale", "/usr/share/man",
	"/usr/share/menu", "/usr/share/metainfo", "/usr/share/nano", "/usr/share/perl5", "/usr/share/pixmaps", "/usr/share/pkgconfig",
	"/usr/share/polkit-1", "/usr/share/readline", "/usr/share/sysvinit", "/usr/share/tabset", "/usr/share/ucf",
	"/usr/share/upstart", "/usr/share/zsh", "/usr/share/runit", "/usr/share/factory", "/usr/share/dh-runit",
	"/var/cache", "/var/lib/dpkg", "/var/lib/systemd",
}

// filter decides which files of packages a recipe takes.
type filter struct {
	dropped, include, exclude []*pattern
	only                      map[string][]*pattern
}

func newFilter(r *recipe.Recipe) *filter {
	f := &filter{
		dropped: compile(dropped[:]),
		include: compile(r.Paths.Include),
		exclude: compile(r.Paths.Exclude),
		only:    map[string][]*pattern{},
	}
	for name, globs := range r.Only {
		f.only[name] = compile(globs)
	}
	return f
}

func (f *filter) keep(pkg, p string) bool {
	if matches(f.exclude, p) {
		return false
	}
	if only, ok := f.only[pkg]; ok {
		return matches(only, p)
	}
	return matches(f.include, p) || !matches(f.dropped, p)
}

// check reports patterns of the recipe that matched nothing.
func (f *filter) check() error {
	var errs []error
	for _, g := range unused(f.include) {
		errs = append(errs, fmt.Errorf("paths.include: %s matches no file", g))
	}
	for _, g := range unused(f.exclude) {
		errs = append(errs, fmt.Errorf("paths.exclude: %s matches no file", g))
	}
	for name, only := range f.only {
		for _, g := range unused(only) {
			errs = append(errs, fmt.Errorf("only.%s: %s matches no file", name, g))
		}
	}
	sort.Slice(errs, func(i, j int) bool { return errs[i].Error() < errs[j].Error() })
	return errors.Join(errs...)
}
