//! The operator: a Recipe gets a ConfigMap of its own for every step.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client, CustomResource, Resource, ResourceExt,
    api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams},
    runtime::{
        Controller,
        controller::Action,
        events::{Event as Told, EventType, Recorder, Reporter},
        finalizer::{self, Event, finalizer},
        watcher,
    },
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

pub const MANAGER: &str = "recipes";
pub const FINALIZER: &str = "recipes.example.org/eaten";

#[derive(CustomResource, Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[kube(
    group = "example.org",
    version = "v1",
    kind = "Recipe",
    namespaced,
    status = "RecipeStatus",
    shortname = "rcp",
    printcolumn = r#"{"name":"Ready","type":"integer","jsonPath":".status.ready"}"#
)]
pub struct RecipeSpec {
    /// What is to be done, in order.
    pub steps: Vec<String>,
    #[serde(default = "two")]
    #[schemars(range(min = 1, max = 8))]
    pub servings: u32,
}

fn two() -> u32 {
    2
}

#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
pub struct RecipeStatus {
    pub ready: i64,
    pub observed_generation: Option<i64>,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the API server says: {0}")]
    Api(#[from] kube::Error),
    #[error("the finalizer: {0}")]
    Finalizer(#[from] Box<finalizer::Error<Error>>),
}

pub struct Context {
    client: Client,
    recorder: Recorder,
}

/// Run the operator in all namespaces until it is dropped.
pub async fn run(client: Client, streams: bool) {
    let wanted = || {
        let config = watcher::Config::default();
        if streams {
            config.streaming_lists()
        } else {
            config.page_size(2)
        }
    };
    let recorder = Recorder::new(client.clone(), Reporter::from(MANAGER));
    let context = Arc::new(Context {
        client: client.clone(),
        recorder,
    });
    Controller::new(Api::<Recipe>::all(client.clone()), wanted())
        .owns(Api::<ConfigMap>::all(client), wanted())
        .run(reconcile, on_error, context)
        .for_each(|done| async move {
            if let Err(error) = done {
                eprintln!("operator: {error}");
            }
        })
        .await;
}

async fn reconcile(recipe: Arc<Recipe>, context: Arc<Context>) -> Result<Action, Error> {
    let namespace = recipe.namespace().unwrap_or_default();
    let recipes: Api<Recipe> = Api::namespaced(context.client.clone(), &namespace);
    finalizer(&recipes, FINALIZER, recipe, |event| async {
        match event {
            Event::Apply(recipe) => apply(&recipes, &recipe, &context).await,
            Event::Cleanup(recipe) => clean_up(&recipe, &context).await,
        }
    })
    .await
    .map_err(|error| Error::Finalizer(Box::new(error)))
}

fn on_error(_: Arc<Recipe>, error: &Error, _: Arc<Context>) -> Action {
    eprintln!("operator, again soon: {error}");
    Action::requeue(Duration::from_millis(200))
}

async fn apply(recipes: &Api<Recipe>, recipe: &Recipe, context: &Context) -> Result<Action, Error> {
    let maps: Api<ConfigMap> = Api::namespaced(context.client.clone(), &recipe.namespace().unwrap_or_default());
    let parameters = PatchParams::apply(MANAGER).force();
    for (number, step) in recipe.spec.steps.iter().enumerate() {
        let map = step_of(recipe, number, step);
        maps.patch(&map.name_any(), &parameters, &Patch::Apply(&map)).await?;
    }
    let steps = ListParams::default().labels(&format!("recipe={}", recipe.name_any()));
    for map in maps.list(&steps).await? {
        let number = map.labels().get("step").and_then(|text| text.parse::<usize>().ok());
        if number.is_none_or(|number| number >= recipe.spec.steps.len()) {
            maps.delete(&map.name_any(), &DeleteParams::default()).await?;
        }
    }
    let ready = recipe.spec.steps.len() as i64;
    if recipe.status.as_ref().and_then(|status| status.observed_generation) != recipe.metadata.generation {
        let status = RecipeStatus {
            ready,
            observed_generation: recipe.metadata.generation,
        };
        let body = json!({"apiVersion": "example.org/v1", "kind": "Recipe", "status": status});
        recipes
            .patch_status(&recipe.name_any(), &parameters, &Patch::Apply(body))
            .await?;
        tell(recipe, context, "Cooked", format!("{ready} steps")).await?;
    }
    Ok(Action::requeue(Duration::from_secs(3600)))
}

async fn clean_up(recipe: &Recipe, context: &Context) -> Result<Action, Error> {
    tell(recipe, context, "Eaten", "nothing is left".into()).await?;
    Ok(Action::await_change())
}

async fn tell(recipe: &Recipe, context: &Context, reason: &str, note: String) -> Result<(), Error> {
    let event = Told {
        type_: EventType::Normal,
        reason: reason.into(),
        note: Some(note),
        action: "Cook".into(),
        secondary: None,
    };
    Ok(context.recorder.publish(&event, &recipe.object_ref(&())).await?)
}

fn step_of(recipe: &Recipe, number: usize, step: &str) -> ConfigMap {
    let labels = [
        ("recipe".into(), recipe.name_any()),
        ("step".into(), number.to_string()),
    ];
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(format!("{}-{number}", recipe.name_any())),
            namespace: recipe.namespace(),
            labels: Some(labels.into()),
            owner_references: Some(recipe.controller_owner_ref(&()).into_iter().collect()),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([("step".into(), step.into())])),
        ..ConfigMap::default()
    }
}
