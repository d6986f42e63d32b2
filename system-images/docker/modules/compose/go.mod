module m

go 1.26.8

require github.com/docker/compose/v5 v5.5.1 // indirect
