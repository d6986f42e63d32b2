// Package recipe reads system-images/NAME/image.yaml: what a system image is
// made of. Reading is strict; every mistake is reported with file, line and
// column. It builds nothing (pkg/imagebuild does) and is for the builder only.
package recipe
