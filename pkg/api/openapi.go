package api

import _ "embed" // for openapi.json

// OpenAPI is the description of this API for programs, an OpenAPI 3.1 document.
// A test makes it of the table of routes and of the types:
// `go test ./pkg/api -run OpenAPI -update`.
//
//go:embed openapi.json
var OpenAPI []byte
