// Package clients holds programs on client-go, as tests. They talk to the cluster of $KUBECONFIG, each in a namespace
// of its own. With WHERRY_RESTARTS=1 whoever runs them restarts the API server when a line on standard output asks
// for it, and answers with a line on standard input.
package clients
