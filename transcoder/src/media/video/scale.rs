//! Resizes pictures to one rendition's size, as yuv420p.

use ff::format::Pixel;
use ff::frame;
use ff::software::scaling;
use ffmpeg_next as ff;

use crate::media::error::MediaError;

/// Lives in the thread of its rendition: a scaler cannot move between threads.
pub(super) struct Scaler {
    context: Option<scaling::Context>,
    width: u32,
    height: u32,
}

impl Scaler {
    pub(crate) fn new(width: u32, height: u32) -> Self {
        Self { context: None, width, height }
    }

    /// Whether a picture can be encoded as it is.
    pub(crate) fn fits(&self, picture: &frame::Video) -> bool {
        picture.format() == Pixel::YUV420P && picture.width() == self.width && picture.height() == self.height
    }

    pub(crate) fn scale(&mut self, picture: &frame::Video) -> Result<frame::Video, MediaError> {
        let failed = MediaError::av("cannot scale");
        let context = match &mut self.context {
            Some(context) => context,
            none => none.insert(
                scaling::Context::get(
                    picture.format(),
                    picture.width(),
                    picture.height(),
                    Pixel::YUV420P,
                    self.width,
                    self.height,
                    scaling::Flags::BICUBIC,
                )
                .map_err(&failed)?,
            ),
        };
        let mut scaled = frame::Video::empty();
        context.run(picture, &mut scaled).map_err(&failed)?;
        Ok(scaled)
    }
}
