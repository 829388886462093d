// Package operator is a small operator: a Widget owns a Deployment of its size.
package operator

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
)

// Finalizer holds a Widget until what it has outside is cleaned up.
const Finalizer = "example.org/clean-up"

// Kind is the kind the operator looks after.
var Kind = schema.GroupVersionKind{Group: "example.org", Version: "v1", Kind: "Widget"}

// Reconciler brings a Widget's Deployment about.
type Reconciler struct {
	client.Client
	// CleanedUp is told the name of each Widget whose finalizer was taken off.
	CleanedUp chan string
}

// NewWidget is an empty Widget.
func NewWidget() *unstructured.Unstructured {
	widget := &unstructured.Unstructured{}
	widget.SetGroupVersionKind(Kind)
	return widget
}

// Reconcile deals with one Widget.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	widget := NewWidget()
	if err := r.Get(ctx, request.NamespacedName, widget); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !widget.GetDeletionTimestamp().IsZero() {
		if controllerutil.RemoveFinalizer(widget, Finalizer) {
			if err := r.Update(ctx, widget); err != nil {
				return ctrl.Result{}, client.IgnoreNotFound(err)
			}
			r.CleanedUp <- widget.GetName()
		}
		return ctrl.Result{}, nil
	}
	if controllerutil.AddFinalizer(widget, Finalizer) {
		return ctrl.Result{}, r.Update(ctx, widget)
	}
	size, _, err := unstructured.NestedInt64(widget.Object, "spec", "size")
	if err != nil {
		return ctrl.Result{}, err
	}
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: widget.GetName(), Namespace: widget.GetNamespace()}}
	if _, err := controllerutil.CreateOrUpdate(ctx, r.Client, deployment, func() error {
		replicas, labels := int32(size), map[string]string{"widget": widget.GetName()}
		deployment.Spec.Replicas = &replicas
		deployment.Spec.Selector = &metav1.LabelSelector{MatchLabels: labels}
		deployment.Spec.Template.Labels = labels
		deployment.Spec.Template.Spec.Containers = []corev1.Container{{Name: "main", Image: "example.org/widget:1"}}
		return controllerutil.SetControllerReference(widget, deployment, r.Scheme())
	}); err != nil {
		if apierrors.IsConflict(err) {
			return ctrl.Result{Requeue: true}, nil
		}
		return ctrl.Result{}, err
	}
	if err := unstructured.SetNestedField(widget.Object, size, "status", "deployed"); err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{}, r.Status().Update(ctx, widget)
}

// SetUp registers the reconciler with a manager.
func (r *Reconciler) SetUp(manager ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(manager).For(NewWidget()).Owns(&appsv1.Deployment{}).Complete(r)
}
