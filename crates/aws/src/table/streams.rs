//! Streams and their listing.

use aws_sdk_dynamodb::types::AttributeValue;
use headwater_domain::ports::{ListingPosition, Page, PortResult, ReadStreams, Write, WriteStreams};
use headwater_domain::stream::StreamDocument;
use headwater_domain::{StreamId, Timestamp};

use super::{Table, read, send_once, text};
use crate::error::{corrupt, port};
use crate::schema::{Key, LISTING, SK, VERSION, listing_sort_key, stream_partition};

impl ReadStreams for Table {
    async fn stream(&self, id: &StreamId) -> PortResult<Option<StreamDocument>> {
        const ACTION: &str = "read a stream";
        let found = self.query(stream_partition(id)).send().await.map_err(port(ACTION))?;
        let documents: PortResult<Vec<_>> = found.items().iter().map(|item| read(item, ACTION)).collect();
        Ok(StreamDocument::current(documents?))
    }

    async fn streams(
        &self,
        after: Option<&ListingPosition>,
        limit: usize,
    ) -> PortResult<Page<ListingPosition>> {
        const ACTION: &str = "list streams";
        let mut query = self
            .query(LISTING.into())
            .scan_index_forward(false)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX));
        if let Some(place) = after {
            query = query.key_condition_expression("PK = :pk AND SK < :place").expression_attribute_values(
                ":place",
                AttributeValue::S(listing_sort_key(place.created_at, &place.id)),
            );
        }
        let found = query.send().await.map_err(port(ACTION))?;
        let items: PortResult<Vec<_>> =
            found.items().iter().map(|item| place(text(item, SK, ACTION)?)).collect();
        Ok(Page { items: items?, more: found.last_evaluated_key().is_some() })
    }
}

fn place(sort_key: &str) -> PortResult<ListingPosition> {
    let bad = || corrupt("list streams", "not a place in the listing");
    let (created, id) = sort_key.split_once('#').ok_or_else(bad)?;
    let created_at = Timestamp(created.parse().map_err(|_| bad())?);
    Ok(ListingPosition { created_at, id: id.parse().map_err(|_| bad())? })
}

impl WriteStreams for Table {
    async fn put_stream(&self, document: &StreamDocument) -> PortResult<Write> {
        let request = self
            .put(&Key::Stream(&document.id, &document.region), document)
            .item(VERSION, AttributeValue::N(document.version.to_string()))
            .condition_expression("attribute_not_exists(PK) OR v < :v")
            .expression_attribute_values(":v", AttributeValue::N(document.version.to_string()));
        send_once(request, document, "write a stream").await
    }

    async fn list_stream(&self, document: &StreamDocument) -> PortResult<()> {
        let request = self.put(&Key::Listing(document.created_at, &document.id), &());
        request.send().await.map_err(port("list a stream"))?;
        Ok(())
    }

    async fn unlist_stream(&self, document: &StreamDocument) -> PortResult<()> {
        self.delete(&Key::Listing(document.created_at, &document.id), "unlist a stream").await
    }
}
