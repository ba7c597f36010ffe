//go:build !darwin

package memory

import "os"

// machineMemory returns the memory of the machine in bytes; 0 when it is unknown.
func machineMemory() int64 { return meminfoTotal(os.DirFS("/")) }
