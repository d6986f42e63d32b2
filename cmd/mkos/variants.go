package main

// variantNames are the forms in which the system ships.
func variantNames() []string { return []string{"default", "core"} }

// leftOut names the images and services that a variant lacks.
func leftOut(variant string) []string {
	if variant == "core" {
		return []string{"docker"}
	}
	return nil
}

// initrdName is a variant's file in dist/.
func initrdName(variant string) string {
	if variant == "default" {
		return "initrd.img"
	}
	return "initrd-" + variant + ".img"
}
