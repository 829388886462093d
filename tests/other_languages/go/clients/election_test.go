package clients

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

const (
	leaseDuration = 3 * time.Second
	lease         = "boss"
)

// runCandidate is a process of its own: it stands for election and tells what becomes of it.
func runCandidate(name string) {
	config, err := connect()
	if err != nil {
		panic(err)
	}
	lock, err := resourcelock.NewFromKubeconfig(
		resourcelock.LeasesResourceLock, os.Getenv("CANDIDATE_NAMESPACE"), lease,
		resourcelock.ResourceLockConfig{Identity: name}, config, 2*time.Second)
	if err != nil {
		panic(err)
	}
	leaderelection.RunOrDie(context.Background(), leaderelection.LeaderElectionConfig{
		Lock: lock, Name: lease,
		LeaseDuration: leaseDuration, RenewDeadline: 2 * time.Second, RetryPeriod: 200 * time.Millisecond,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) { fmt.Println("leads"); <-ctx.Done() },
			OnStoppedLeading: func() { fmt.Println("lost") },
			OnNewLeader:      func(identity string) { fmt.Println("leader", identity) },
		},
	})
}

type candidate struct {
	process *exec.Cmd
	lines   chan string
}

func stand(t *testing.T, name, space string) *candidate {
	t.Helper()
	process := exec.Command(os.Args[0])
	process.Env = append(os.Environ(), "CANDIDATE="+name, "CANDIDATE_NAMESPACE="+space)
	process.Stderr = os.Stderr
	out, err := process.StdoutPipe()
	check(t, err)
	check(t, process.Start())
	made := &candidate{process, make(chan string, 100)}
	go func() {
		defer close(made.lines)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			made.lines <- scanner.Text()
		}
	}()
	t.Cleanup(made.kill)
	return made
}

func (c *candidate) kill() {
	_ = c.process.Process.Kill() // it may have ended
	_ = c.process.Wait()
}

func (c *candidate) says(t *testing.T, wanted string) {
	t.Helper()
	timeout := time.After(30 * time.Second)
	for {
		select {
		case line, open := <-c.lines:
			if line == wanted {
				return
			}
			if !open || line == "lost" {
				t.Fatalf("%q instead of %q", line, wanted)
			}
		case <-timeout:
			t.Fatalf("not within 30 s: %q", wanted)
		}
	}
}

func TestTheSecondCandidateLeadsWhenTheFirstIsKilled(t *testing.T) {
	client := typed(t)
	space := namespace(t, client)
	first := stand(t, "first", space)
	first.says(t, "leads")
	second := stand(t, "second", space)
	second.says(t, "leader first")
	first.kill()
	killed := time.Now()
	second.says(t, "leads")
	if waited := time.Since(killed); waited < leaseDuration-time.Second {
		t.Fatalf("the lease was taken %v after the kill", waited)
	}
	found := must[*coordinationv1.Lease](t)(
		client.CoordinationV1().Leases(space).Get(t.Context(), lease, metav1.GetOptions{}))
	if *found.Spec.HolderIdentity != "second" || *found.Spec.LeaseTransitions != 1 || *found.Spec.LeaseDurationSeconds != 3 {
		t.Fatalf("lease: %v", found.Spec)
	}
}

func TestALeaderStaysLeaderAcrossARestart(t *testing.T) {
	canRestart(t)
	client := typed(t)
	space := namespace(t, client)
	first := stand(t, "first", space)
	first.says(t, "leads")
	second := stand(t, "second", space)
	second.says(t, "leader first")
	renewed := func() time.Time {
		found := must[*coordinationv1.Lease](t)(
			client.CoordinationV1().Leases(space).Get(t.Context(), lease, metav1.GetOptions{}))
		if *found.Spec.HolderIdentity != "first" {
			t.Fatalf("%s holds the lease", *found.Spec.HolderIdentity)
		}
		return found.Spec.RenewTime.Time
	}
	restartServer(t)
	before := renewed()
	eventually(t, "the lease is renewed for longer than it lasts", func() bool {
		return renewed().Sub(before) > leaseDuration
	})
	second.kill()
	first.kill()
	for line := range second.lines {
		if line == "leads" {
			t.Fatal("the second led too")
		}
	}
}
