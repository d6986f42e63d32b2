package kernel

import (
	"reflect"
	"strings"
	"testing"
)

const dep = "kernel/drivers/md/dm-verity.ko: kernel/drivers/md/dm-bufio.ko kernel/drivers/md/dm-mod.ko\n" +
	"kernel/drivers/md/dm-bufio.ko: kernel/drivers/md/dm-mod.ko\n" +
	"kernel/drivers/md/dm-mod.ko:\n" +
	"kernel/net/odd.ko:\n"

func sample(t *testing.T) *table {
	t.Helper()
	tab, err := parseTable(dep, "kernel/fs/ext4/ext4.ko\n")
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func TestClosureBringsWhatAModuleNeedsAndSkipsWhatIsBuiltIn(t *testing.T) {
	got, err := sample(t).closure([]string{"dm_verity", "ext4"}, []string{"nvme"})
	want := []string{"dm_bufio", "dm_mod", "dm_verity"}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

func TestARequiredModuleThatIsNowhereIsNamed(t *testing.T) {
	_, err := sample(t).closure([]string{"erofs"}, nil)
	if err == nil || !strings.Contains(err.Error(), "erofs") {
		t.Errorf("got %v", err)
	}
}

func TestFlatTableNamesFilesWithoutFolders(t *testing.T) {
	got := sample(t).flat([]string{"dm_bufio", "dm_mod", "dm_verity"})
	want := "dm-bufio.ko: dm-mod.ko\ndm-mod.ko:\ndm-verity.ko: dm-bufio.ko dm-mod.ko\n"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAliasesOfOtherModulesAreDropped(t *testing.T) {
	text := "# Aliases\nalias virtio:d00000002v* virtio_blk\nalias fs-erofs erofs\nalias x dm-mod\n"
	got := filterAliases(text, []string{"erofs", "dm_mod"})
	if got != "alias fs-erofs erofs\nalias x dm-mod\n" {
		t.Errorf("got %q", got)
	}
}

func TestSoftdepsOfOtherModulesAreDropped(t *testing.T) {
	got := filterSoftdeps("# Soft dependencies\nsoftdep nfs pre: x\nsoftdep dm-mod post: y\n", []string{"dm_mod"})
	if got != "softdep dm-mod post: y\n" {
		t.Errorf("got %q", got)
	}
}

func FuzzParseTable(f *testing.F) {
	f.Add(dep, "kernel/a.ko\n")
	f.Fuzz(func(t *testing.T, dep, builtin string) {
		tab, err := parseTable(dep, builtin)
		if err != nil {
			return
		}
		for name := range tab.file {
			names, err := tab.closure([]string{name}, nil)
			if err == nil && !tab.builtin[name] && len(names) == 0 {
				t.Errorf("the closure of %s lacks itself", name)
			}
		}
	})
}
