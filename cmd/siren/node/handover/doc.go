// Package handover lets two processes of one user on one machine speak with each other, while one of them takes over from
// the other. Each serves HTTP on a unix socket in Linux's abstract namespace, which only processes of the same user may
// use.
package handover
