//! Two regions: both directions, lag, partition, last writer wins, restart.

use super::dynamodb::{TABLE, client, create_table, put, read, s, start};
use headwater_emulators::dynamodb::{DynamoDb, Replication};
use std::path::Path;
use std::time::{Duration, Instant};

const NO_LAG: Duration = Duration::ZERO;

async fn pair(folder: &Path) -> (DynamoDb, DynamoDb) {
    (start(folder, "us-east-1", 0).await, start(folder, "us-west-2", 0).await)
}

async fn pair_with_tables(folder: &Path) -> (DynamoDb, DynamoDb) {
    let (east, west) = pair(folder).await;
    for region in [&east, &west] {
        create_table(&client(region)).await;
    }
    (east, west)
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_updates_and_deletes_reach_the_other_region_both_ways() {
    let folder = tempfile::tempdir().unwrap();
    let (east, west) = pair_with_tables(folder.path()).await;
    let replication = Replication::between(&east, &west, NO_LAG);
    let (e, w) = (client(&east), client(&west));
    put(&e, "from-east", "1").await;
    put(&w, "from-west", "2").await;
    put(&e, "gone", "3").await;
    e.delete_item().table_name(TABLE).key("PK", s("gone")).key("SK", s("x")).send().await.unwrap();
    let update = w.update_item().table_name(TABLE).key("PK", s("from-west")).key("SK", s("x"));
    let update = update.update_expression("SET #v = :v").expression_attribute_names("#v", "value");
    update.expression_attribute_values(":v", s("updated")).send().await.unwrap();
    replication.settled().await;
    for region in [&e, &w] {
        assert_eq!(read(region, "from-east").await.as_deref(), Some("1"));
        assert_eq!(read(region, "from-west").await.as_deref(), Some("updated"));
        assert_eq!(read(region, "gone").await, None);
    }
    assert_eq!(east.operations().get("PutItem"), Some(&2), "what replication applies is not a request");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_arrives_only_after_the_lag_which_can_be_shortened_on_its_way() {
    let folder = tempfile::tempdir().unwrap();
    let (east, west) = pair_with_tables(folder.path()).await;
    let replication = Replication::between(&east, &west, Duration::from_secs(3600));
    put(&client(&east), "item", "1").await;
    assert_eq!(read(&client(&west), "item").await, None);
    assert_eq!(replication.pending(), 1);
    replication.set_lag(Duration::from_millis(300));
    replication.settled().await;
    assert_eq!(read(&client(&west), "item").await.as_deref(), Some("1"));

    let written = Instant::now();
    put(&client(&east), "item", "2").await;
    replication.settled().await;
    assert!(written.elapsed() >= Duration::from_millis(300));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_partition_the_last_writer_wins_in_both_regions() {
    let folder = tempfile::tempdir().unwrap();
    let (east, west) = pair_with_tables(folder.path()).await;
    let replication = Replication::between(&east, &west, NO_LAG);
    let (e, w) = (client(&east), client(&west));
    replication.pause();
    put(&w, "item", "west first").await;
    put(&e, "item", "east last").await;
    put(&e, "other", "east first").await;
    put(&w, "other", "west last").await;
    assert_eq!(read(&w, "item").await.as_deref(), Some("west first"));
    replication.resume();
    replication.settled().await;
    for region in [&e, &w] {
        assert_eq!(read(region, "item").await.as_deref(), Some("east last"));
        assert_eq!(read(region, "other").await.as_deref(), Some("west last"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_reaches_a_stopped_region_until_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let (east, west) = pair_with_tables(folder.path()).await;
    let replication = Replication::between(&east, &west, NO_LAG);
    west.stop().await;
    put(&client(&east), "item", "1").await;
    assert_eq!(replication.pending(), 1);
    west.faults().start().unwrap();
    replication.settled().await;
    assert_eq!(read(&client(&west), "item").await.as_deref(), Some("1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_on_its_way_at_a_restart_arrives_after_it_and_old_news_still_loses() {
    let folder = tempfile::tempdir().unwrap();
    let (east, west) = pair_with_tables(folder.path()).await;
    let replication = Replication::between(&east, &west, NO_LAG);
    replication.pause();
    put(&client(&east), "undelivered", "1").await;
    put(&client(&east), "contested", "old").await;
    put(&client(&west), "contested", "new").await;
    drop((replication, east, west));

    let (east, west) = pair(folder.path()).await;
    let replication = Replication::between(&east, &west, NO_LAG);
    replication.settled().await;
    for region in [&east, &west] {
        assert_eq!(read(&client(region), "undelivered").await.as_deref(), Some("1"));
        assert_eq!(read(&client(region), "contested").await.as_deref(), Some("new"));
    }
}
