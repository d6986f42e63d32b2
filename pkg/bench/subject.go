package bench

// Subject is one system that is measured.
type Subject struct {
	Name, Title string
	Kernel      string
	Initrd      string // "": none but the probe
	Root        string // ext4 image of the root file system; "": all in the initrd
	RootZstd    int64  // its files packed, in bytes
	Append      string
	Runtime     string // what answers for the user runtime; "": there is none
	SSH         bool
	OCI         string   // layout with the images it ships
	BaseTar     string   // archive of its root, beside those images; "": there is none
	LeaveOut    []string // images of that layout that it does not ship
	Files       *Files   // counted already
	Sealed      string   // of a system that does not change: names what figures may be reused for
	Services    bool     // takes service files from a state disk
	Builtin     int      // how many services it ships
	starter     bool     // pkg/bench/starter is in the initrd
}

// Result is what is known about a subject.
type Result struct {
	Name      string             `json:"name"`
	Title     string             `json:"title"`
	Cached    string             `json:"cached,omitempty"` // when, if it was not measured in this run
	Runs      int                `json:"runs"`             // of each counted measurement
	Figures   map[Figure]float64 `json:"figures"`          // the median, where there were several runs
	Spread    map[Figure]Range   `json:"spread"`           // least and most of them
	Listeners []string           `json:"listeners,omitempty"`
	SetuidOf  []string           `json:"setuid_files,omitempty"`
	Images    []ImageSize        `json:"images,omitempty"`
	Work      []Share            `json:"work,omitempty"`     // until ssh answered, in one of the runs
	Problems  []string           `json:"problems,omitempty"` // figures that could not be taken, and why
}

func newResult(s Subject) *Result {
	return &Result{Name: s.Name, Title: s.Title, Figures: map[Figure]float64{}, Spread: map[Figure]Range{}}
}
