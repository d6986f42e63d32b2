package api

import (
	"context"
	"errors"
	"net/http"
)

// Classes of errors. The server wraps them, HTTPStatus says them on the wire,
// and the client's errors match them again with errors.Is.
var (
	ErrInvalid     = errors.New("invalid request")
	ErrNotFound    = errors.New("not found")
	ErrMethod      = errors.New("method not allowed")
	ErrConflict    = errors.New("not possible in the present state")
	ErrUnavailable = errors.New("not available now") // rosd lives, containerd does not answer, ...

	// The client's own.
	ErrUnreachable = errors.New("rosd is not reachable")
	ErrPermission  = errors.New("permission denied")
)

var statuses = []struct {
	err  error
	code int
}{
	{ErrInvalid, http.StatusBadRequest},
	{ErrNotFound, http.StatusNotFound},
	{ErrMethod, http.StatusMethodNotAllowed},
	{ErrConflict, http.StatusConflict},
	{ErrUnavailable, http.StatusServiceUnavailable},
	{context.DeadlineExceeded, http.StatusGatewayTimeout},
}

// HTTPStatus gives the status code for an error of the server.
func HTTPStatus(err error) int {
	for _, s := range statuses {
		if errors.Is(err, s.err) {
			return s.code
		}
	}
	return http.StatusInternalServerError
}

// ResponseError is an answer that is not 2xx.
type ResponseError struct {
	Code    int
	Message string
}

// Error is the server's own message.
func (e *ResponseError) Error() string { return e.Message }

// Is says whether the answer is of the class target.
func (e *ResponseError) Is(target error) bool {
	for _, s := range statuses {
		if s.err == target {
			return s.code == e.Code
		}
	}
	return false
}
