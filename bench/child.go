package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// Roles of a child process.
const (
	roleClient = "client" // client loops
	roleFloor  = "floor"  // a floor to compare with
)

// jobBytesMax bounds the first line that a child reads.
const jobBytesMax = 1 << 20

// Errors of child processes wrap errChild.
var errChild = errors.New("bench: child process")

// job is the first line that a child process gets.
type job struct {
	Role   string       `json:"role"`
	Config Config       `json:"config"`
	Duty   duty         `json:"duty"`
	Script *floorScript `json:"script,omitempty"`
}

// Child runs a process that a run has started; Config.Command must call it. in and out are the pipes to the run,
// standard input and output. It returns when in ends.
func Child(in, out *os.File) error {
	if !supported {
		return ErrSystem
	}
	line, err := readLine(in)
	if err != nil {
		return fmt.Errorf("%w: %w", errChild, err)
	}
	var j job
	if err := json.Unmarshal(line, &j); err != nil {
		return fmt.Errorf("%w: %w", errChild, err)
	}
	switch j.Role {
	case roleClient:
		return clientChild(j, in, out)
	case roleFloor:
		if j.Script == nil {
			return fmt.Errorf("%w: a floor without a script", errChild)
		}
		return floorChild(*j.Script, in, out)
	}
	return fmt.Errorf("%w: unknown role %q", errChild, j.Role)
}

// readLine reads a line, and nothing after it.
func readLine(in io.Reader) ([]byte, error) {
	var line []byte
	var one [1]byte
	for len(line) < jobBytesMax {
		if _, err := io.ReadFull(in, one[:]); err != nil {
			return nil, err
		}
		if one[0] == '\n' {
			return line, nil
		}
		line = append(line, one[0])
	}
	return nil, errors.New("line too long")
}

// clientChild runs client loops and executes the orders that it reads.
func clientChild(j job, in io.Reader, out io.Writer) (err error) {
	encoder := json.NewEncoder(out)
	a, err := newClientChild(j)
	if err != nil {
		return errors.Join(err, encoder.Encode(report{Err: err.Error()}))
	}
	defer func() { err = errors.Join(err, a.close()) }()
	if err := encoder.Encode(report{}); err != nil {
		return err
	}
	decoder := json.NewDecoder(in)
	for {
		var o order
		if err := decoder.Decode(&o); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("%w: %w", errChild, err)
		}
		r, err := a.do(o)
		if err != nil {
			r.Err = err.Error()
		}
		if err := encoder.Encode(r); err != nil {
			return fmt.Errorf("%w: %w", errChild, err)
		}
	}
}

// newClientChild starts the loops of a client process.
func newClientChild(j job) (*agent, error) {
	t, err := parseTarget(j.Config.URL)
	if err != nil {
		return nil, err
	}
	if t, err = t.resolve(); err != nil {
		return nil, err
	}
	if err := needDescriptors(j.Config.descriptors()); err != nil {
		return nil, err
	}
	return newAgent(j.Config, j.Duty, t, func() {})
}

// process is the parent's handle to a child; only one goroutine may use it.
type process struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	encoder *json.Encoder
	decoder *json.Decoder
}

// startProcess starts a child and sends its job. An interrupt from the terminal does not reach the child: it ends when
// its parent closes the pipe, or ends.
func startProcess(command []string, j job) (*process, error) {
	if len(command) == 0 {
		return nil, fmt.Errorf("%w: no command to start it", errChild)
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errChild, err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errChild, err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w: %w", errChild, err)
	}
	p := &process{cmd: cmd, in: in, encoder: json.NewEncoder(in), decoder: json.NewDecoder(out)}
	if err := p.encoder.Encode(j); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", errChild, err), p.close())
	}
	return p, nil
}

// ask sends one message and reads the answer.
func (p *process) ask(question, answer any) error {
	if err := p.encoder.Encode(question); err != nil {
		return fmt.Errorf("%w: %w", errChild, err)
	}
	return p.answer(answer)
}

// answer reads a message.
func (p *process) answer(to any) error {
	if err := p.decoder.Decode(to); err != nil {
		return fmt.Errorf("%w: %w", errChild, err)
	}
	return nil
}

// close ends the child and waits for it.
func (p *process) close() error {
	_ = p.in.Close() // which is what ends it
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("%w: %w", errChild, err)
	}
	return nil
}

// remoteCrew is a crew in another process.
type remoteCrew struct {
	process *process
	seen    processes
}

// newRemoteCrew starts a client process and waits until its loops run.
func newRemoteCrew(command []string, cfg Config, d duty) (*remoteCrew, error) {
	p, err := startProcess(command, job{Role: roleClient, Config: cfg, Duty: d})
	if err != nil {
		return nil, err
	}
	c := &remoteCrew{process: p, seen: processes{root: procRoot, pids: []int{p.cmd.Process.Pid}}}
	var hello report
	if err := p.answer(&hello); err != nil {
		return nil, errors.Join(err, p.close())
	}
	if hello.Err != "" {
		_ = p.close() // what it said is the reason
		return nil, fmt.Errorf("%w: %s", errChild, hello.Err)
	}
	return c, nil
}

func (c *remoteCrew) do(o order) (report, error) {
	var r report
	if err := c.process.ask(o, &r); err != nil {
		return r, err
	}
	if r.Err != "" {
		return r, fmt.Errorf("%w: %s", errChild, r.Err)
	}
	return r, nil
}

// cpu is also zero if it cannot be read, because the client's time is only a remark.
func (c *remoteCrew) cpu() cpuTime {
	t, err := c.seen.cpu()
	if err != nil {
		return cpuTime{}
	}
	return t
}

func (c *remoteCrew) close() error { return c.process.close() }
