// Package metrics tells Prometheus about a server. The server itself does not depend on Prometheus: a Collector reads
// the numbers that the server's event loops keep for themselves when it is scraped.
//
//	reg := prometheus.NewRegistry()
//	reg.MustRegister(metrics.New(srv, metrics.Options{}))
//	mux.Handle("/metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
//
// Counting takes no lock, no allocation and no memory that two event loops write. A scrape posts one small task to each
// event loop and waits for it, at most Options.Wait: of a loop that is stuck it tells the latest numbers that are
// known. The names and labels are listed in docs/metrics.md.
package metrics
