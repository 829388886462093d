package clients

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/features"
	featurestesting "k8s.io/client-go/features/testing"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/retry"
	"k8s.io/client-go/util/workqueue"
)

// story counts what an informer's handler was told of each object.
type story struct {
	mutex                            sync.Mutex
	added, updated, deleted, resyncs map[string]int
}

func newStory() *story {
	return &story{added: map[string]int{}, updated: map[string]int{}, deleted: map[string]int{}, resyncs: map[string]int{}}
}

func (s *story) handler() cache.ResourceEventHandlerFuncs {
	return cache.ResourceEventHandlerFuncs{
		AddFunc: func(object any) { s.count(s.added, object) },
		UpdateFunc: func(old, object any) {
			if old.(metav1.Object).GetResourceVersion() == object.(metav1.Object).GetResourceVersion() {
				s.count(s.resyncs, object)
			} else {
				s.count(s.updated, object)
			}
		},
		DeleteFunc: func(object any) { s.count(s.deleted, object) },
	}
}

func (s *story) count(where map[string]int, object any) {
	name, err := cache.DeletionHandlingObjectToName(object)
	if err != nil {
		panic(err)
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	where[name.Name]++
}

func (s *story) times(where map[string]int, name string) int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return where[name]
}

func TestSharedInformersWithAndWithoutWatchList(t *testing.T) {
	for _, streams := range []bool{true, false} {
		for _, kind := range []string{protobuf, "application/json"} {
			t.Run(fmt.Sprintf("WatchList=%v,%s", streams, kind), func(t *testing.T) {
				featurestesting.SetFeatureDuringTest(t, features.WatchListClient, streams)
				followChanges(t, kind, streams, func() {})
			})
		}
	}
}

func TestInformersOutliveARestart(t *testing.T) {
	canRestart(t)
	for _, streams := range []bool{true, false} {
		t.Run(fmt.Sprintf("WatchList=%v", streams), func(t *testing.T) {
			featurestesting.SetFeatureDuringTest(t, features.WatchListClient, streams)
			followChanges(t, protobuf, streams, func() { restartServer(t) })
		})
	}
}

// followChanges has an informer see objects from before, made, changed and deleted; `meanwhile` happens in between.
func followChanges(t *testing.T, kind string, streams bool, meanwhile func()) {
	client := typed(t)
	space := namespace(t, client)
	maps := client.CoreV1().ConfigMaps(space)
	create(t, client, space, configMap("before", nil), configMap("kept", nil))
	config := configure(t)
	config.ContentType, config.AcceptContentTypes = kind, kind
	heard := record(config)
	watching := must[*kubernetes.Clientset](t)(kubernetes.NewForConfig(config))
	factory := informers.NewSharedInformerFactoryWithOptions(watching, 0, informers.WithNamespace(space))
	informer := factory.Core().V1().ConfigMaps()
	seen := newStory()
	must[cache.ResourceEventHandlerRegistration](t)(informer.Informer().AddEventHandler(seen.handler()))
	other := newStory()
	must[cache.ResourceEventHandlerRegistration](t)(informer.Informer().AddEventHandler(other.handler()))
	ctx, cancel := context.WithCancel(t.Context())
	factory.StartWithContext(ctx)
	defer factory.Shutdown()
	defer cancel()
	if synced := factory.WaitForCacheSyncWithContext(ctx); synced.Err != nil {
		t.Fatal(synced.Err)
	}
	eventually(t, "what was there before", func() bool { return seen.times(seen.added, "before") == 1 })

	meanwhile()
	made := create(t, client, space, configMap("new", nil))
	eventually(t, "a new object", func() bool { return seen.times(seen.added, "new") == 1 })
	made.Data = map[string]string{"a": "b"}
	must[*corev1.ConfigMap](t)(maps.Update(t.Context(), made, metav1.UpdateOptions{}))
	eventually(t, "a change", func() bool { return seen.times(seen.updated, "new") == 1 })
	check(t, maps.Delete(t.Context(), "before", metav1.DeleteOptions{}))
	eventually(t, "a deletion", func() bool {
		return seen.times(seen.deleted, "before") == 1 && other.times(other.deleted, "before") == 1
	})
	if seen.times(seen.added, "kept") != 1 || seen.times(seen.deleted, "kept") != 0 {
		t.Fatalf("the object nobody touched was told of again: %v, %v", seen.added, seen.deleted)
	}
	same(t, client, informer.Lister(), space)
	if streamed := len(heard.matching("sendInitialEvents=true")) > 0; streamed != streams {
		t.Fatalf("the initial list was streamed: %v", streamed)
	}
}

// same compares an informer's store with what the server lists.
func same(t *testing.T, client kubernetes.Interface, lister listers.ConfigMapLister, space string) {
	t.Helper()
	list := must[*corev1.ConfigMapList](t)(client.CoreV1().ConfigMaps(space).List(t.Context(), metav1.ListOptions{}))
	eventually(t, "the store is what the server has", func() bool {
		cached, err := lister.ConfigMaps(space).List(labels.Everything())
		if err != nil || len(cached) != len(list.Items) {
			return false
		}
		for _, item := range list.Items {
			found, err := lister.ConfigMaps(space).Get(item.Name)
			if err != nil || found.ResourceVersion != item.ResourceVersion {
				return false
			}
		}
		return true
	})
}

func TestResync(t *testing.T) {
	client := typed(t)
	space := namespace(t, client)
	create(t, client, space, configMap("one", nil))
	factory := informers.NewSharedInformerFactoryWithOptions(client, time.Second, informers.WithNamespace(space))
	seen := newStory()
	informer := factory.Core().V1().ConfigMaps().Informer()
	must[cache.ResourceEventHandlerRegistration](t)(informer.AddEventHandler(seen.handler()))
	ctx, cancel := context.WithCancel(t.Context())
	factory.StartWithContext(ctx)
	defer factory.Shutdown()
	defer cancel()
	eventually(t, "two resyncs", func() bool { return seen.times(seen.resyncs, "one") >= 2 })
	if seen.times(seen.added, "one") != 1 || seen.times(seen.updated, "one") != 0 {
		t.Fatalf("added %v, updated %v", seen.added, seen.updated)
	}
}

// controller marks ConfigMaps as done, from a queue; each one's first try fails.
type controller struct {
	client kubernetes.Interface
	lister listers.ConfigMapLister
	queue  workqueue.TypedRateLimitingInterface[cache.ObjectName]
	tried  sync.Map
}

var errFirstTry = errors.New("the first try fails")

func (c *controller) work(ctx context.Context) {
	for {
		key, quit := c.queue.Get()
		if quit {
			return
		}
		if err := c.reconcile(ctx, key); err != nil {
			c.queue.AddRateLimited(key)
		} else {
			c.queue.Forget(key)
		}
		c.queue.Done(key)
	}
}

func (c *controller) reconcile(ctx context.Context, key cache.ObjectName) error {
	found, err := c.lister.ConfigMaps(key.Namespace).Get(key.Name)
	if apierrors.IsNotFound(err) || (err == nil && found.Annotations["done"] != "") {
		return nil
	}
	if err != nil {
		return err
	}
	if _, again := c.tried.LoadOrStore(key, true); !again {
		return errFirstTry
	}
	changed := found.DeepCopy()
	changed.Annotations = map[string]string{"done": "yes"}
	_, err = c.client.CoreV1().ConfigMaps(key.Namespace).Update(ctx, changed, metav1.UpdateOptions{})
	return err
}

func runController(t *testing.T, meanwhile func()) {
	client := typed(t)
	space := namespace(t, client)
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(space))
	maps := factory.Core().V1().ConfigMaps()
	made := &controller{
		client: client, lister: maps.Lister(),
		queue: workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[cache.ObjectName]()),
	}
	enqueue := func(object any) { made.queue.Add(cache.MetaObjectToName(object.(metav1.Object))) }
	must[cache.ResourceEventHandlerRegistration](t)(maps.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: enqueue, UpdateFunc: func(_, object any) { enqueue(object) },
	}))
	ctx, cancel := context.WithCancel(t.Context())
	factory.StartWithContext(ctx)
	var workers sync.WaitGroup
	for range 3 {
		workers.Go(func() { made.work(ctx) })
	}
	defer workers.Wait()
	defer made.queue.ShutDown()
	defer cancel()
	waiting := func() (names []string) {
		list := must[*corev1.ConfigMapList](t)(client.CoreV1().ConfigMaps(space).List(ctx, metav1.ListOptions{}))
		for _, item := range list.Items {
			if item.Annotations["done"] != "yes" {
				names = append(names, item.Name)
			}
		}
		return names
	}
	for number := range 20 {
		create(t, client, space, configMap(fmt.Sprintf("task-%d", number), nil))
	}
	meanwhile()
	for number := range 20 {
		create(t, client, space, configMap(fmt.Sprintf("later-%d", number), nil))
	}
	eventually(t, "all done", func() bool { return len(waiting()) == 0 })
	if count := len(must[*corev1.ConfigMapList](t)(client.CoreV1().ConfigMaps(space).List(ctx, metav1.ListOptions{})).Items); count < 40 {
		t.Fatalf("only %d objects are there", count)
	}
}

func TestAControllerWithAWorkQueue(t *testing.T) { runController(t, func() {}) }

func TestAControllerOutlivesARestart(t *testing.T) {
	canRestart(t)
	runController(t, func() { restartServer(t) })
}

func TestWritesAcrossARestartAreNotLost(t *testing.T) {
	canRestart(t)
	client := typed(t)
	space := namespace(t, client)
	create(t, client, space, configMap("one", map[string]string{"a": "1"}))
	restartServer(t)
	check(t, retry.OnError(retry.DefaultBackoff, func(err error) bool { return !apierrors.IsNotFound(err) }, func() error {
		found, err := client.CoreV1().ConfigMaps(space).Get(t.Context(), "one", metav1.GetOptions{})
		if err == nil && found.Data["a"] != "1" {
			t.Fatalf("read: %v", found.Data)
		}
		return err
	}))
}
