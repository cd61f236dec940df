// lwt: lightweight transactions on registers, from many clients at once, while somebody kills the server; the history is
// checked for linearizability by porcupine. An operation whose answer never came may have happened at any later time, or never.
package main

import (
	"errors"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/gocql/gocql"
)

var (
	host       = flag.String("host", "127.0.0.1:9042", "the server")
	operations = flag.Int64("operations", 100000, "how many, until it is enough")
	flight     = flag.Int("flight", 64, "clients")
	perKey     = flag.Int64("per-key", 60, "operations on a register")
	hot        = flag.Int64("hot", 16, "registers in use at a time")
)

type input struct {
	kind     byte // r read, i insert if not exists, c compare and set, d delete if
	old, new int
}
type output struct {
	applied, unknown, missing bool
	value                     int // what was there, when it was told
}

// that connections come and go is what this is about
type quiet struct{}

func (quiet) Print(...any)          {}
func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

const nothing = -1 // a register that is not there

var model = porcupine.Model{
	Init: func() any { return nothing },
	Step: func(state, in, out any) (bool, any) {
		s, i, o := state.(int), in.(input), out.(output)
		switch i.kind {
		case 'r':
			return o.unknown || (o.missing && s == nothing) || (!o.missing && s == o.value), s
		case 'i':
			if s == nothing {
				return o.unknown || o.applied, i.new
			}
			return o.unknown || (!o.applied && o.value == s), s
		case 'c', 'd':
			then := i.new
			if i.kind == 'd' {
				then = nothing
			}
			if s == i.old {
				return o.unknown || o.applied, then
			}
			return o.unknown || (!o.applied && (o.missing == (s == nothing)) && (o.missing || o.value == s)), s
		}
		return false, s
	},
	Equal: func(a, b any) bool { return a == b },
}

func main() {
	flag.Parse()
	gocql.Logger = quiet{}
	var s *gocql.Session
	for try := 0; ; try++ {
		c := gocql.NewCluster(*host)
		c.ProtoVersion, c.NumConns, c.Timeout, c.ConnectTimeout = 4, 4, 3*time.Second, 3*time.Second
		c.WriteCoalesceWaitTime, c.DisableInitialHostLookup = 0, true
		c.ReconnectInterval = 50 * time.Millisecond
		c.ReconnectionPolicy = &gocql.ConstantReconnectionPolicy{MaxRetries: 1000, Interval: 50 * time.Millisecond}
		c.SerialConsistency = gocql.Serial
		var err error
		if s, err = c.CreateSession(); err == nil {
			break
		}
		if try > 100 {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		time.Sleep(100 * time.Millisecond)
	}
	for _, text := range []string{"CREATE KEYSPACE IF NOT EXISTS lwt WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
		"CREATE TABLE IF NOT EXISTS lwt.registers (k bigint PRIMARY KEY, v int)"} {
		if err := s.Query(text).Exec(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	base := time.Now().UnixNano() // registers of this run only
	var count, unknown, applied atomic.Int64
	var lock sync.Mutex
	history := map[int64][]porcupine.Operation{}
	var wait sync.WaitGroup
	start := time.Now()
	for n := range *flight {
		wait.Add(1)
		go func() {
			defer wait.Done()
			r := rand.New(rand.NewSource(int64(n)))
			var mine []struct {
				key int64
				op  porcupine.Operation
			}
			for {
				number := count.Add(1)
				if number > *operations {
					break
				}
				key := number/(*perKey**hot)**hot + r.Int63n(*hot)
				in, out := input{old: r.Intn(4), new: r.Intn(4)}, output{value: nothing}
				call := time.Since(start).Nanoseconds()
				var err error
				var id int64
				switch x := r.Intn(10); {
				case x < 2:
					in.kind = 'r'
					err = s.Query("SELECT v FROM lwt.registers WHERE k = ?", base+key).Consistency(gocql.Consistency(gocql.Serial)).Scan(&out.value)
					if errors.Is(err, gocql.ErrNotFound) {
						out.missing, err = true, nil
					}
				case x < 4:
					in.kind = 'i'
					out.applied, err = s.Query("INSERT INTO lwt.registers (k, v) VALUES (?, ?) IF NOT EXISTS", base+key, in.new).ScanCAS(&id, &out.value)
				case x < 9:
					in.kind = 'c'
					out.applied, err = s.Query("UPDATE lwt.registers SET v = ? WHERE k = ? IF v = ?", in.new, base+key, in.old).ScanCAS(&out.value)
				default:
					in.kind = 'd'
					out.applied, err = s.Query("DELETE FROM lwt.registers WHERE k = ? IF v = ?", base+key, in.old).ScanCAS(&out.value)
				}
				if errors.Is(err, gocql.ErrNoConnections) { // it was never sent
					count.Add(-1)
					time.Sleep(20 * time.Millisecond)
					continue
				}
				back := time.Since(start).Nanoseconds()
				if in.kind != 'r' && err == nil && !out.applied {
					out.missing = out.value == nothing
				}
				if err != nil {
					out.unknown = true
					unknown.Add(1)
					back = 1 << 62
					if in.kind == 'r' {
						continue // says nothing
					}
				}
				if out.applied {
					applied.Add(1)
				}
				mine = append(mine, struct {
					key int64
					op  porcupine.Operation
				}{key, porcupine.Operation{ClientId: n, Input: in, Call: call, Output: out, Return: back}})
				if err != nil {
					time.Sleep(20 * time.Millisecond)
				}
			}
			lock.Lock()
			for _, m := range mine {
				history[m.key] = append(history[m.key], m.op)
			}
			lock.Unlock()
		}()
	}
	wait.Wait()
	spent := time.Since(start).Seconds()
	bad, open := 0, 0
	for key, ops := range history {
		switch porcupine.CheckOperationsTimeout(model, ops, 60*time.Second) {
		case porcupine.Illegal:
			bad++
			if bad <= 3 {
				fmt.Printf("register %d is not linearizable:\n", key)
				for _, o := range ops {
					fmt.Printf("  client %d %d..%d %c %d->%d %+v\n", o.ClientId, o.Call, o.Return, o.Input.(input).kind, o.Input.(input).old, o.Input.(input).new, o.Output)
				}
			}
		case porcupine.Unknown:
			open++
		}
	}
	fmt.Printf("%d operations on %d registers in %.1f s, %d applied, %d without an answer; %d registers not linearizable, %d undecided\n",
		*operations, len(history), spent, applied.Load(), unknown.Load(), bad, open)
	if bad > 0 || open > 0 {
		os.Exit(1)
	}
}
