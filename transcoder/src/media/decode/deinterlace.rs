//! Makes whole pictures of fields: one of each interlaced picture, at its own time. Progressive ones go through as they
//! are, so a source may change in mid-stream.

use ff::filter::{self, Graph};
use ff::frame;
use ffmpeg_next as ff;

use crate::media::error::MediaError;

/// `bwdif` of FFmpeg: one picture for each (25 of a television signal's 50 fields a second: twice as many would double the
/// cost of every rendition), only of those that say they are interlaced.
const FILTER: &str = "bwdif=mode=send_frame:parity=auto:deint=interlaced";
/// Its output counts time in halves of the input's.
const HALVES: i64 = 2;

/// Not there until the first interlaced picture comes: from then on pictures come out one later.
#[derive(Default)]
pub(crate) struct Deinterlacer {
    graph: Option<(Graph, (ff::format::Pixel, u32, u32))>,
    /// An interlaced picture has come.
    is_needed: bool,
}

impl Deinterlacer {
    /// Takes the next picture (drains at `None`); what is ready is put into `out`.
    pub(crate) fn push(
        &mut self,
        picture: Option<frame::Video>,
        out: &mut Vec<frame::Video>,
    ) -> Result<(), MediaError> {
        let failed = MediaError::av("cannot deinterlace");
        let Some(picture) = picture else { return self.drain(out) };
        let shape = (picture.format(), picture.width(), picture.height());
        if self.graph.as_ref().is_some_and(|(_, of)| *of != shape) {
            self.drain(out)?;
        }
        if self.graph.is_none() {
            if !picture.is_interlaced() {
                out.push(picture);
                return Ok(());
            }
            self.is_needed = true;
            self.graph = Some((graph(&picture).map_err(&failed)?, shape));
        }
        if let Some((graph, _)) = &mut self.graph {
            graph
                .get("in")
                .ok_or(ff::Error::FilterNotFound)
                .and_then(|mut to| to.source().add(&picture))
                .map_err(&failed)?;
            receive(graph, out);
        }
        Ok(())
    }

    /// Whether an interlaced picture has come.
    pub(crate) fn is_needed(&self) -> bool {
        self.is_needed
    }

    fn drain(&mut self, out: &mut Vec<frame::Video>) -> Result<(), MediaError> {
        if let Some((mut graph, _)) = self.graph.take() {
            let end = graph.get("in").ok_or(ff::Error::FilterNotFound).and_then(|mut to| to.source().flush());
            end.map_err(MediaError::av("cannot deinterlace the last picture"))?;
            receive(&mut graph, out);
        }
        Ok(())
    }
}

fn receive(graph: &mut Graph, out: &mut Vec<frame::Video>) {
    let Some(mut from) = graph.get("out") else { return };
    loop {
        let mut picture = frame::Video::empty();
        if from.sink().frame(&mut picture).is_err() {
            return;
        }
        let at = picture.pts().map(|pts| pts.div_euclid(HALVES));
        picture.set_pts(at);
        out.push(picture);
    }
}

fn graph(picture: &frame::Video) -> Result<Graph, ff::Error> {
    let mut graph = Graph::new();
    let find = |name| filter::find(name).ok_or(ff::Error::FilterNotFound);
    let aspect = match picture.aspect_ratio() {
        ff::Rational(up, down) if up > 0 && down > 0 => format!("{up}/{down}"),
        _ => "1/1".to_owned(),
    };
    let format = ff::ffi::AVPixelFormat::from(picture.format()) as i32;
    let (width, height) = (picture.width(), picture.height());
    let source =
        format!("video_size={width}x{height}:pix_fmt={format}:time_base=1/1000:pixel_aspect={aspect}");
    graph.add(&find("buffer")?, "in", &source)?;
    graph.add(&find("buffersink")?, "out", "")?;
    graph.output("in", 0)?.input("out", 0)?.parse(FILTER)?;
    graph.validate()?;
    Ok(graph)
}
