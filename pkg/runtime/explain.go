package runtime

import (
	"errors"
	"regexp"
	"strings"
	"sync"
)

// explanation pairs what runc says with what a person needs to know.
type explanation struct {
	pattern   *regexp.Regexp
	message   string // $1.. are the pattern's groups
	permanent bool   // it will say the same again until a file or image changes
}

// explanations: the first that matches counts. Made when first needed: most
// boots need none.
var explanations = sync.OnceValue(func() []explanation {
	return []explanation{
		{regexp.MustCompile(`exec: "([^"]*)": executable file not found in \$PATH`), "command $1 not found in the image (PATH was searched)", true},
		{regexp.MustCompile(`exec: "([^"]*)": (?:stat [^:]*: )?no such file or directory`), "command $1 not found in the image", true},
		{regexp.MustCompile(`exec: "([^"]*)": (?:stat [^:]*: )?permission denied`), "command $1 in the image is not executable", true},
		{regexp.MustCompile(`exec: "([^"]*)": (?:stat [^:]*: )?is a directory`), "command $1 in the image is a folder", true},
		{regexp.MustCompile(`exec (\S+): no such file or directory`), "command $1 not found in the image, or the interpreter it names is not", true},
		{regexp.MustCompile(`exec (\S+): exec format error`), "command $1 is not a program for this machine", true},
		{regexp.MustCompile(`exec (\S+): permission denied`), "command $1 in the image is not executable", true},
		{regexp.MustCompile(`error mounting "([^"]*)" to rootfs at "([^"]*)": (?:.*: )?not a directory`), "volume $2: its source $1 and its target are not both files or both folders", true},
		{regexp.MustCompile(`error mounting "([^"]*)" to rootfs at "([^"]*)": (?:.*: )?no such file or directory`), "volume $2: its source $1 does not exist", false},
		{regexp.MustCompile(`error mounting "([^"]*)" to rootfs at "([^"]*)": (.*)`), "cannot mount $1 on $2: $3", false},
		{regexp.MustCompile(`chdir to cwd \("([^"]*)"\) set in config\.json failed: (.*)`), "working directory $1: $2", true},
		{regexp.MustCompile(`(?:unable to apply cgroup configuration|error setting cgroup config for procHooks process): (.*)`), "its limits cannot be applied: $1", false},
		{regexp.MustCompile(`no such device: "?([^"]*)"?`), "device $1 does not exist", false},
	}
})

// noise are the prefixes that containerd, the shim and runc put before what
// they mean.
var noise = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:failed to create shim task|failed to create task|OCI runtime create failed|OCI runtime start failed|runc create failed|runc start failed|unable to start container process|error during container init|cannot start an already running container|rpc error|code = \w+|desc =?|unable to retrieve OCI runtime error \([^)]*\)|/[^ :]*runc did not terminate successfully)(?:: ?| |$)`)
})

// explain makes an error of starting a task readable.
func explain(err error) error {
	if errors.Is(err, ErrUnavailable) {
		return err
	}
	text := strings.TrimSpace(err.Error())
	for _, e := range explanations() {
		match := e.pattern.FindStringSubmatchIndex(text)
		if match == nil {
			continue
		}
		message := string(e.pattern.ExpandString(nil, e.message, text, match))
		if e.permanent {
			return &startError{message: message, class: ErrPermanent, cause: err}
		}
		return &startError{message: message, cause: err}
	}
	for {
		shorter := strings.TrimSpace(noise().ReplaceAllString(text, ""))
		if shorter == text || shorter == "" {
			break
		}
		text = shorter
	}
	return &startError{message: text, cause: err}
}

// startError says message and keeps what it stands for.
type startError struct {
	message string
	class   error // nil, or one of this package's
	cause   error
}

func (e *startError) Error() string { return e.message }

func (e *startError) Unwrap() []error {
	if e.class == nil {
		return []error{e.cause}
	}
	return []error{e.class, e.cause}
}

// Reason gives an error's words for `ros service ps`: without the class,
// which is for programs.
func Reason(err error) string {
	text := err.Error()
	for _, class := range []error{ErrPermanent, ErrUnavailable, ErrNotRunning} {
		text = strings.ReplaceAll(text, class.Error()+": ", "")
	}
	return text
}
