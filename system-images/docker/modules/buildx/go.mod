module m

go 1.26.8

require github.com/docker/buildx v0.37.2 // indirect
