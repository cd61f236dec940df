module sluice.dev/peers/cql

go 1.22

require (
	github.com/anishathalye/porcupine v1.3.1
	github.com/gocql/gocql v1.7.0
)
