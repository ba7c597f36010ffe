package sessiontest

import (
	"net"
	"time"
)

// pacePause is the time between two reads of a paced connection that is ahead of its pace.
const pacePause = 5 * time.Millisecond

// Paced returns conn with at most bytesPerSecond read, slowly but steadily.
func Paced(conn net.Conn, bytesPerSecond int) net.Conn {
	return &paced{Conn: conn, rate: bytesPerSecond, begin: time.Now()}
}

type paced struct {
	net.Conn
	rate  int
	begin time.Time
	read  int64 // since begin
}

// Read waits until the pace allows a read.
func (p *paced) Read(b []byte) (int, error) {
	for {
		elapsed := time.Since(p.begin)
		allowed := int64(elapsed.Seconds() * float64(p.rate))
		// Idle time is not made up for.
		if credit := int64(p.rate) / 10; allowed-p.read > credit {
			p.begin, p.read, allowed = time.Now(), 0, credit
		}
		if room := allowed - p.read; room > 0 {
			n, err := p.Conn.Read(b[:min(int64(len(b)), room)])
			p.read += int64(n)
			return n, err
		}
		time.Sleep(pacePause)
	}
}
