module m

go 1.26.8

require github.com/moby/moby/v2 v2.0.0-beta.24 // indirect
