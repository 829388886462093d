//! A controller on kube-rs and what it has to show, against the cluster of $KUBECONFIG. With $WHERRY_RESTARTS set whoever
//! runs this restarts the API server when a line asks for it, and answers with a line on standard input.

mod operator;

use std::{error::Error, time::Duration};

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::{
    api::{
        core::v1::{ConfigMap, Namespace},
        events::v1::Event,
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client, CustomResourceExt, ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams},
    discovery::Discovery,
    runtime::{
        WatchStreamExt, reflector,
        wait::{await_condition, conditions, delete::delete_and_finalize},
        watcher,
    },
};
use operator::{FINALIZER, MANAGER, Recipe, RecipeSpec};
use serde_json::json;

type Outcome = Result<(), Box<dyn Error>>;

#[tokio::main]
async fn main() -> Outcome {
    let client = Client::try_default().await?;
    define(&client).await?;
    let restarts = std::env::var_os("WHERRY_RESTARTS").is_some();
    for streams in [false, true] {
        let worker = tokio::spawn(operator::run(client.clone(), streams));
        tokio::time::timeout(Duration::from_secs(120), show(&client, restarts, streams)).await??;
        worker.abort();
        println!("shown with streaming lists: {streams}");
    }
    refused(&client).await?;
    dynamic(&client).await?;
    println!("all was shown");
    Ok(())
}

async fn define(client: &Client) -> Outcome {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let name = Recipe::crd_name();
    definitions
        .patch(name, &PatchParams::apply(MANAGER), &Patch::Apply(Recipe::crd()))
        .await?;
    await_condition(definitions, name, conditions::is_crd_established()).await?;
    Ok(())
}

/// A recipe from its making to its end, seen by a reflector as well.
async fn show(client: &Client, restarts: bool, streams: bool) -> Outcome {
    let space = format!("kitchen-{streams}");
    let spaces: Api<Namespace> = Api::all(client.clone());
    spaces
        .create(
            &PostParams::default(),
            &serde_json::from_value(json!({"metadata": {"name": space}}))?,
        )
        .await?;
    let recipes: Api<Recipe> = Api::namespaced(client.clone(), &space);
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), &space);
    let (store, writer) = reflector::store();
    let config = watcher::Config::default().labels("recipe=soup");
    let config = if streams { config.streaming_lists() } else { config };
    let stream = watcher(maps.clone(), config)
        .default_backoff()
        .reflect(writer)
        .touched_objects();
    let reflecting = tokio::spawn(stream.for_each(|_| async {}));

    recipes
        .create(
            &PostParams::default(),
            &Recipe::new("soup", spec(&["cut", "boil", "salt"])),
        )
        .await?;
    let made = await_condition(recipes.clone(), "soup", ready(3))
        .await?
        .ok_or("the recipe is gone")?;
    assert_eq!(made.finalizers(), [FINALIZER]);
    let map = maps.get("soup-2").await?;
    assert_eq!(map.owner_references()[0].uid, made.uid().ok_or("no uid")?);
    assert!(
        map.managed_fields()
            .iter()
            .any(|entry| { entry.manager.as_deref() == Some(MANAGER) && entry.operation.as_deref() == Some("Apply") })
    );
    if restarts {
        restart()?;
    }
    // What is owned and goes comes back; what is changed by others is put right.
    delete_and_finalize(maps.clone(), "soup-1", &DeleteParams::default()).await?;
    await_condition(maps.clone(), "soup-1", conditions::is_created()).await?;
    let change = json!({"data": {"step": "sugar"}});
    maps.patch("soup-2", &PatchParams::default(), &Patch::Merge(change))
        .await?;
    await_condition(maps.clone(), "soup-2", |map: Option<&ConfigMap>| {
        map.and_then(|map| map.data.as_ref())
            .is_some_and(|data| data["step"] == "salt")
    })
    .await?;
    let fewer = json!({"spec": {"steps": ["order"]}});
    recipes
        .patch("soup", &PatchParams::default(), &Patch::Merge(fewer))
        .await?;
    await_condition(recipes.clone(), "soup", ready(1)).await?;
    store.wait_until_ready().await?;
    tokio::time::timeout(Duration::from_secs(20), async {
        while store.state().len() != 1
            || store.state()[0]
                .data
                .as_ref()
                .is_none_or(|data| data["step"] != "order")
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .map_err(|_| format!("the reflector has {:?}", store.state()))?;

    // The end waits for the finalizer; the garbage collector takes what was owned.
    delete_and_finalize(recipes, "soup", &DeleteParams::background()).await?;
    await_condition(maps, "soup-0", |map: Option<&ConfigMap>| map.is_none()).await?;
    let events: Api<Event> = Api::namespaced(client.clone(), &space);
    let reasons: Vec<_> = events
        .list(&ListParams::default())
        .await?
        .into_iter()
        .filter_map(|event| event.reason)
        .collect();
    assert!(
        reasons.contains(&"Cooked".into()) && reasons.contains(&"Eaten".into()),
        "{reasons:?}"
    );
    reflecting.abort();
    delete_and_finalize(spaces, &space, &DeleteParams::default()).await?;
    Ok(())
}

fn spec(steps: &[&str]) -> RecipeSpec {
    RecipeSpec {
        steps: steps.iter().map(|step| (*step).into()).collect(),
        servings: 2,
    }
}

fn ready(count: i64) -> impl Fn(Option<&Recipe>) -> bool {
    move |recipe| {
        recipe
            .and_then(|recipe| recipe.status.as_ref())
            .is_some_and(|status| status.ready == count)
    }
}

/// Another API server, which has forgotten all versions before.
fn restart() -> Outcome {
    println!("wherry: restart");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    if answer.trim() != "done" {
        return Err(format!("restart: {answer:?}").into());
    }
    Ok(())
}

/// What the derived schema and the server refuse.
async fn refused(client: &Client) -> Outcome {
    let recipes: Api<Recipe> = Api::namespaced(client.clone(), "default");
    let mut feast = Recipe::new("feast", spec(&["order"]));
    feast.spec.servings = 9;
    match recipes.create(&PostParams::default(), &feast).await {
        Err(kube::Error::Api(status)) => {
            assert_eq!((status.code, status.reason.as_str()), (422, "Invalid"));
            let wanted = "Recipe.example.org \"feast\" is invalid: spec.servings: Invalid value: 9: \
                          spec.servings in body should be less than or equal to 8";
            assert_eq!(status.message, wanted);
        }
        other => return Err(format!("nine servings: {other:?}").into()),
    }
    feast.spec.servings = 1;
    let mut made = recipes.create(&PostParams::default(), &feast).await?;
    let old = made.clone();
    made.spec.servings = 2;
    recipes.replace("feast", &PostParams::default(), &made).await?;
    match recipes.replace("feast", &PostParams::default(), &old).await {
        Err(kube::Error::Api(status)) => assert_eq!((status.code, status.reason.as_str()), (409, "Conflict")),
        other => return Err(format!("an old version: {other:?}").into()),
    }
    let other = json!({"apiVersion": "example.org/v1", "kind": "Recipe", "spec": {"servings": 3}});
    match recipes
        .patch("feast", &PatchParams::apply("guest"), &Patch::Apply(other))
        .await
    {
        Err(kube::Error::Api(status)) => assert_eq!(status.code, 409),
        other => return Err(format!("another's field: {other:?}").into()),
    }
    recipes.delete("feast", &DeleteParams::default()).await?;
    Ok(())
}

/// The same kind, found by discovery; pages and a watch of objects without a type.
async fn dynamic(client: &Client) -> Outcome {
    let found = Discovery::new(client.clone()).run_aggregated().await?;
    let group = found.get("example.org").ok_or("no group example.org")?;
    let (kind, capabilities) = group.recommended_kind("Recipe").ok_or("no kind Recipe")?;
    assert!(capabilities.supports_operation("watch") && kind.plural == "recipes");
    let plain = Discovery::new(client.clone()).filter(&["example.org"]).run().await?;
    assert!(plain.get("example.org").is_some());
    let resource: ApiResource = kind;
    let objects: Api<DynamicObject> = Api::namespaced_with(client.clone(), "default", &resource);
    for number in 0..5 {
        let made = DynamicObject::new(&format!("r-{number}"), &resource).data(json!({"spec": {"steps": []}}));
        let made = objects.create(&PostParams::default(), &made).await?;
        assert_eq!(made.data["spec"]["servings"], 2, "the default of the schema");
    }
    let mut page = ListParams::default().limit(2);
    let mut names = Vec::new();
    loop {
        let list = objects.list(&page).await?;
        names.extend(list.items.iter().map(ResourceExt::name_any));
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => break,
        }
    }
    assert_eq!(names, ["r-0", "r-1", "r-2", "r-3", "r-4"]);
    let watched: Vec<_> = watcher(objects.clone(), watcher::Config::default().streaming_lists())
        .applied_objects()
        .take(5)
        .map_ok(|object| object.name_any())
        .try_collect()
        .await?;
    assert_eq!(watched.len(), 5);
    let partial = objects.list_metadata(&ListParams::default()).await?;
    assert_eq!(partial.items.len(), 5);
    objects
        .delete_collection(&DeleteParams::default(), &ListParams::default())
        .await?;
    Ok(())
}
