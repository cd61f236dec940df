// load: one kind of CQL work against one server, so many requests in flight, for so long; what it was is told as one
// line of JSON, with the client's own processor time. gocql with its write coalescing off, since that delays a lone request.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gocql/gocql"
)

var (
	host    = flag.String("host", "127.0.0.1:9042", "the server")
	work    = flag.String("work", "write", "schema, fill, write, read, mixed, wide, scan")
	flight  = flag.Int("flight", 32, "requests in flight")
	seconds = flag.Float64("seconds", 10, "how long")
	keys    = flag.Int("keys", 100000, "how many keys there are")
	conns   = flag.Int("conns", 4, "connections")
)

const rowsOfPartition = 1000

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func session(keyspace string) *gocql.Session {
	c := gocql.NewCluster(*host)
	c.Keyspace, c.ProtoVersion, c.NumConns = keyspace, 4, *conns
	c.Consistency, c.Timeout, c.ConnectTimeout = gocql.One, 30*time.Second, 30*time.Second
	c.WriteCoalesceWaitTime, c.DisableInitialHostLookup = 0, true
	c.PageSize = 5000
	s, err := c.CreateSession()
	if err != nil {
		fail(err)
	}
	return s
}

func schema() {
	s := session("")
	for _, text := range []string{
		"CREATE KEYSPACE IF NOT EXISTS load WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
		"CREATE TABLE IF NOT EXISTS load.people (id bigint PRIMARY KEY, first text, last text, email text, phone text, age int, score double, at timestamp)",
		"CREATE TABLE IF NOT EXISTS load.wide (k bigint, c bigint, v text, PRIMARY KEY (k, c))",
	} {
		if err := s.Query(text).Exec(); err != nil {
			fail(err)
		}
	}
}

const (
	put     = "INSERT INTO people (id, first, last, email, phone, age, score, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
	get     = "SELECT first, last, email, phone, age, score, at FROM people WHERE id = ?"
	putWide = "INSERT INTO wide (k, c, v) VALUES (?, ?, ?)"
	getWide = "SELECT c, v FROM wide WHERE k = ?"
	scan    = "SELECT id, email FROM people WHERE token(id) >= ? AND token(id) < ?"
)

func write(s *gocql.Session, id int64) error {
	return s.Query(put, id, "Ada Augusta", "Lovelace", fmt.Sprintf("ada.%d@example.org", id), "+44 20 7946 0000", int(id%90), float64(id)/3, time.UnixMilli(1700000000000+id)).Exec()
}

func read(s *gocql.Session, id int64) error {
	var first, last, email, phone string
	var age int
	var score float64
	var at time.Time
	if err := s.Query(get, id).Scan(&first, &last, &email, &phone, &age, &score, &at); err != nil {
		return err
	}
	if email != fmt.Sprintf("ada.%d@example.org", id) {
		return fmt.Errorf("%d has the address %s", id, email)
	}
	return nil
}

func partition(s *gocql.Session, k int64) error {
	var c, n int64
	var v string
	i := s.Query(getWide, k).Iter()
	for i.Scan(&c, &v) {
		if c != n {
			return fmt.Errorf("row %d of %d where %d was expected", c, k, n)
		}
		n++
	}
	if err := i.Close(); err != nil {
		return err
	}
	if n != rowsOfPartition {
		return fmt.Errorf("partition %d has %d rows", k, n)
	}
	return nil
}

func scanPart(s *gocql.Session, r *rand.Rand) error {
	const parts = 256
	step := int64(-9223372036854775808/parts) * -1
	low := -9223372036854775808 + step*int64(r.Intn(parts-1))
	var id int64
	var email string
	i := s.Query(scan, low, low+step).Iter()
	for i.Scan(&id, &email) {
	}
	return i.Close()
}

func fill() {
	s := session("load")
	var wait sync.WaitGroup
	var next atomic.Int64
	for range 128 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for id := next.Add(1) - 1; id < int64(*keys); id = next.Add(1) - 1 {
				if err := write(s, id); err != nil {
					fail(err)
				}
				if id < 100*rowsOfPartition {
					if err := s.Query(putWide, id/rowsOfPartition, id%rowsOfPartition, "a value of some forty bytes, as they are").Exec(); err != nil {
						fail(err)
					}
				}
			}
		}()
	}
	wait.Wait()
}

func main() {
	flag.Parse()
	switch *work {
	case "schema":
		schema()
		return
	case "fill":
		fill()
		return
	}
	s := session("load")
	var wait sync.WaitGroup
	var lock sync.Mutex
	var all []time.Duration
	begin := time.Now()
	var before, after syscall.Rusage
	syscall.Getrusage(0, &before)
	end := begin.Add(time.Duration(*seconds * float64(time.Second)))
	for n := range *flight {
		wait.Add(1)
		go func() {
			defer wait.Done()
			r := rand.New(rand.NewSource(int64(n)))
			mine := make([]time.Duration, 0, 1<<16)
			for now := time.Now(); now.Before(end); {
				var err error
				switch *work {
				case "write":
					err = write(s, r.Int63n(int64(*keys)))
				case "read":
					err = read(s, r.Int63n(int64(*keys)))
				case "mixed":
					if r.Intn(2) == 0 {
						err = write(s, r.Int63n(int64(*keys)))
					} else {
						err = read(s, r.Int63n(int64(*keys)))
					}
				case "wide":
					err = partition(s, r.Int63n(int64(min(100, *keys/rowsOfPartition))))
				case "scan":
					err = scanPart(s, r)
				default:
					fail(fmt.Errorf("there is no work '%s'", *work))
				}
				if err != nil {
					fail(err)
				}
				then := time.Now()
				mine = append(mine, then.Sub(now))
				now = then
			}
			lock.Lock()
			all = append(all, mine...)
			lock.Unlock()
		}()
	}
	wait.Wait()
	spent := time.Since(begin).Seconds()
	syscall.Getrusage(0, &after)
	slices.Sort(all)
	at := func(q float64) float64 { return float64(all[min(len(all)-1, int(float64(len(all))*q))].Microseconds()) / 1000 }
	cpu := func(u syscall.Rusage) float64 { return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9 }
	json.NewEncoder(os.Stdout).Encode(map[string]any{"operations": len(all), "rate": float64(len(all)) / spent, "p50": at(0.5), "p99": at(0.99), "p99.9": at(0.999),
		"client_cpu": cpu(after) - cpu(before), "seconds": spent})
}
