// Package ocibuild turns file trees into OCI images: layers, configuration,
// manifest and image layout. The bytes depend on the trees and configuration
// alone. It is for the builder only.
package ocibuild
