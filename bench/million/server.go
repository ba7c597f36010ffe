package million

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/seed58c87869/siren/bench/loadserver"
)

// job is the first line that a server process reads.
type job struct {
	Addr         string        `json:"addr"`
	Loops        int           `json:"loops"`
	PrivateFiles bool          `json:"private_files"`
	PingInterval time.Duration `json:"ping_interval"`
	PingTimeout  time.Duration `json:"ping_timeout"`
}

// hello is its answer: empty when it serves.
type hello struct {
	Err string `json:"err,omitempty"`
}

// errServer is wrapped by the errors of a server process.
var errServer = errors.New("the server process")

// Serve returns the server process of a run: in and out are its pipes to the run. It serves until in ends, and then
// returns without a word to its clients, which have gone.
func Serve(in io.Reader, out io.Writer) error {
	lines := bufio.NewReader(in)
	line, err := lines.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("%w: %w", errServer, err)
	}
	var j job
	if err := json.Unmarshal(line, &j); err != nil {
		return fmt.Errorf("%w: %w", errServer, err)
	}
	err = listen(j)
	answer := hello{}
	if err != nil {
		answer.Err = err.Error()
	}
	if failed := json.NewEncoder(out).Encode(answer); err != nil || failed != nil {
		return errors.Join(err, failed)
	}
	_, err = io.Copy(io.Discard, lines)
	return err
}

// listen starts the server. The end of the process ends it.
func listen(j job) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	srv, err := loadserver.New(log, loadserver.Options{
		Loops: j.Loops, PrivateFiles: j.PrivateFiles, PingInterval: j.PingInterval, PingTimeout: j.PingTimeout,
	})
	if err != nil {
		return err
	}
	return srv.Listen("tcp4://" + j.Addr)
}

// process is the run's handle to its server. Used by one goroutine.
type process struct {
	cmd *exec.Cmd
	in  io.WriteCloser
}

// startServer starts the server and waits until it listens. An interrupt from the terminal does not reach it: it ends
// with its pipe.
func startServer(command []string, j job) (*process, error) {
	if len(command) == 0 {
		return nil, fmt.Errorf("%w: no command to start it", errServer)
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errServer, err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errServer, err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w: %w", errServer, err)
	}
	p := &process{cmd, in}
	var h hello
	if err := errors.Join(json.NewEncoder(in).Encode(j), json.NewDecoder(out).Decode(&h)); err != nil {
		return nil, errors.Join(fmt.Errorf("%w does not answer: %w", errServer, err), p.stop())
	}
	if h.Err != "" {
		_ = p.stop() // what it said is the reason
		return nil, fmt.Errorf("%w does not start: %s", errServer, strings.TrimPrefix(h.Err, "server: "))
	}
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// endTime is how long the kernel may take to close a million sockets.
const endTime = 2 * time.Minute

// stop ends the process and waits for it. An error tells that it had failed before.
func (p *process) stop() error {
	_ = p.in.Close()
	ctx, cancel := context.WithTimeout(context.Background(), endTime)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = p.cmd.Process.Kill() })()
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("%w: %w", errServer, err)
	}
	return nil
}
